// The form with a reader's choices: filled from preferences, read back as preferences.
import { $, $$, h } from "./dom.js";

const LEVELS = [
  ["flash", "Biggest only"],
  ["breaking", "Breaking and bigger"],
  ["update", "All updates"],
];

function topicRow({ id, name, description }) {
  const option = ([value, label]) => h("option", { value }, label);
  return h("div", { class: "topic", "data-topic": id },
    h("label", { class: "name" },
      h("input", { type: "checkbox", name: "topics", value: id }),
      h("span", {}, h("b", {}, name), description && h("small", {}, description))),
    h("select", { "aria-label": `How big must ${name} news be?` },
      ...[["", "As above"], ...LEVELS].map(option)));
}

// A choice for a topic that is not chosen says nothing, so its select is only there when it does.
function tidy(row) {
  const select = $("select", row);
  select.hidden = !$("input", row).checked;
  select.classList.toggle("own", select.value !== "");
}

/** @param {HTMLFormElement} form @param {{id: string, name: string, description?: string}[]} topics */
export function choices(form, topics) {
  $("#topics", form).replaceChildren(...topics.map(topicRow));
  const rows = $$(".topic", form);
  form.addEventListener("change", () => rows.forEach(tidy));

  return {
    /** @param {import("../tocsin.js").Preferences} preferences */
    fill({ topics: chosen = [], min_level: level = "update", topic_levels: own = {} }) {
      for (const radio of form.elements.min_level) radio.checked = radio.value === level;
      for (const row of rows) {
        const id = row.dataset.topic;
        $("input", row).checked = chosen.includes(id);
        $("select", row).value = own?.[id] ?? "";
        tidy(row);
      }
    },

    /** @returns {import("../tocsin.js").Preferences} */
    read() {
      const chosen = rows.filter((row) => $("input", row).checked);
      const own = chosen.map((row) => [row.dataset.topic, $("select", row).value]).filter(([, level]) => level);
      return {
        topics: chosen.map((row) => row.dataset.topic),
        min_level: form.elements.min_level.value || "update",
        topic_levels: Object.fromEntries(own),
      };
    },
  };
}

/**
 * The merge patch that turns the saved choices into the wanted ones; null when nothing differs.
 * @param {import("../tocsin.js").Preferences} saved
 * @param {import("../tocsin.js").Preferences} wanted
 */
export function patchOf(saved, wanted) {
  const patch = {};
  const same = (a = [], b = []) => a.length === b.length && a.every((item) => b.includes(item));
  if (!same(saved.topics ?? [], wanted.topics)) patch.topics = wanted.topics;
  if ((saved.min_level ?? "update") !== wanted.min_level) patch.min_level = wanted.min_level;
  const before = saved.topic_levels ?? {};
  const levels = {};
  for (const id of Object.keys({ ...before, ...wanted.topic_levels })) {
    if (before[id] !== wanted.topic_levels[id]) levels[id] = wanted.topic_levels[id] ?? null;
  }
  if (Object.keys(levels).length) patch.topic_levels = levels;
  return Object.keys(patch).length ? patch : null;
}
