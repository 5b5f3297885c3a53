// The control for topics: Off, Biggest or All, each with what it means in numbers.
import { h } from "./make.js";

const ADMITTED = { flash: ["flash"], breaking: ["flash", "breaking"], update: ["flash", "breaking", "update"] };

/** What a topic is set to: "off" or a level. */
const chosen = ({ topics = [], topic_levels: own, min_level: least }, id) =>
  topics.includes(id) ? (Object.hasOwn(own ?? {}, id) ? own[id] : least ?? "update") : "off";

/** Alerts a day; null where nobody knows. `wake` leaves out those levels that quiet hours let through. */
function perDay({ per_day: rates }, level, wake) {
  if (level === "off") return 0;
  return rates ? ADMITTED[level].filter((each) => !ADMITTED[wake]?.includes(each)).reduce((sum, each) => sum + rates[each], 0) : null;
}

/** Of all that is chosen; one alert on two topics counts for both. */
export const altogether = (site, preferences, wake) => site.topics.reduce((sum, topic) => {
  const rate = perDay(topic, chosen(preferences, topic.id), wake);
  return sum === null || rate === null ? null : sum + rate;
}, 0);

/** The merge patch that sets a topic. */
export function chooseTopic({ topics = [], min_level: least }, id, level) {
  const others = topics.filter((each) => each !== id);
  const plain = level === "off" || (level === "update" && (least ?? "update") === "update");
  return { topics: level === "off" ? others : [...others, id].sort(), topic_levels: { [id]: plain ? null : level } };
}

/** @param {(id: string, level: string) => void} choose */
export function topicControls({ t, often }, site, choose) {
  const rows = site.topics.map((topic) => {
    const { id, name, description } = topic;
    const option = (level) => h("label", { part: "choice" },
      h("input", { type: "radio", name: id, value: level, onchange: () => choose(id, level) }),
      h("b", {}, t(`topic.${level}`)), " ", level !== "off" && topic.per_day && h("small", {}, often(perDay(topic, level))));
    const flash = option("flash");
    const element = h("div", { class: "topic", part: "topic", role: "radiogroup", "aria-labelledby": `topic-${id}` },
      h("div", {}, h("b", { id: `topic-${id}` }, name), description && h("small", {}, description)),
      h("div", { class: "choices" }, option("off"), flash, option("breaking"), option("update")));
    return { element, flash, id };
  });

  return {
    elements: rows.map(({ element }) => element),
    fill(preferences) {
      for (const { element, flash, id } of rows) {
        const level = chosen(preferences, id);
        // It was chosen elsewhere, so it is shown, but not offered to all.
        flash.hidden = level !== "flash";
        element.querySelector(`[value="${level}"]`).checked = true;
      }
    },
  };
}
