// "Why did I (not) get this?": recent alerts, what became of each for this browser, and why.
import { button, note } from "./controls.js";
import { busy, h } from "./make.js";

const FIRST = 8;

// What a reader needs to tell apart at a glance.
const KINDS = { accepted: "sent", pending: "waiting", retrying: "waiting", deferred: "held", set_aside: "failed", rejected: "failed" };

/** @typedef {import("./tocsin.js").HistoryEntry} Entry */

function why({ outcome, reason, why: words }, t) {
  const key = reason && outcome !== "deferred" ? `why.reason.${reason}` : `why.${outcome}`;
  const text = t(key);
  return text === key ? words : text; // of a newer service: its own words, in English
}

/** "12 minutes ago" within a day, else the day and time. */
function since({ soon, time }, moment) {
  const passed = (Date.now() - moment) / 60_000;
  if (passed < 59.5) return soon(-Math.max(0, Math.round(passed)), "minute");
  if (passed < 23.5 * 60) return soon(-Math.round(passed / 60), "hour");
  return time(moment, { weekday: "short", day: "numeric", month: "short", hour: "numeric", minute: "2-digit" });
}

/** @param {Entry} entry */
function row(entry, words) {
  const { t } = words;
  const kind = KINDS[entry.outcome] ?? "not";
  return h("li", { class: `fate ${kind}`, part: "alert" },
    h("p", { class: "name" }, t(`history.${kind}`)),
    h("div", {},
      h("p", { class: "headline", dir: "auto" }, entry.headline),
      h("p", { class: "from" }, h("span", {}, t(`level.${entry.level}`)), h("time", { datetime: entry.sent_at }, since(words, new Date(entry.sent_at)))),
      entry.outcome !== "accepted" && h("p", {}, why(entry, t))));
}

/**
 * @param {() => Promise<Entry[]>} ask
 * @param {(error: Error) => string} told
 */
export function pastAlerts(words, ask, told) {
  const { t, number } = words;
  const place = h("div", {}, h("p", { class: "note loading" }, t("history.loading")));
  const again = (text) => {
    const control = button(text, () => busy(control, async () => {
      await load();
      // The one that was pressed has made way.
      place.querySelector(".again").focus();
    }), "small again");
    return control;
  };

  function show(entries) {
    // Who has just subscribed is not asked to read what all others got before.
    const own = entries.filter(({ reason }) => reason !== "subscribed_later");
    if (!own.length) return [h("p", {}, t("history.none")), again(t("history.refresh"))];
    const rows = own.map((entry) => row(entry, words));
    const list = h("ol", { class: "fates" }, ...rows.slice(0, FIRST));
    const rest = rows.slice(FIRST);
    const all = rest.length > 0 && button(t("history.all", { count: number(rows.length) }), () => {
      list.append(...rest);
      all.remove();
      rest[0].tabIndex = -1;
      rest[0].focus();
    }, "small");
    return [list, note(t("history.meaning")), h("div", { class: "row" }, all, again(t("history.refresh")))];
  }

  async function load() {
    try {
      place.replaceChildren(...show(await ask()));
    } catch (error) {
      place.replaceChildren(h("p", { class: "problem", role: "alert" }, `${t("history.unseen")} ${told(error)}`), again(t("problem.again")));
    }
  }

  return { element: place, load };
}
