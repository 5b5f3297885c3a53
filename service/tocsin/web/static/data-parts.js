// What is held on this browser: what became of its alerts and why, a file to keep, and the way to have all of it erased.
import { button, live, note } from "./controls.js";
import { dress } from "./data-styles.js";
import { erasure } from "./erase.js";
import { pastAlerts } from "./history.js";
import { busy, h, say } from "./make.js";

const FILE = "tocsin-subscription.json";

function keep(data) {
  const url = URL.createObjectURL(new Blob([JSON.stringify(data, null, 2)], { type: "application/json" }));
  h("a", { href: url, download: FILE }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

function section(name, t, ...parts) {
  return h("section", { part: "section", "aria-labelledby": name }, h("h3", { id: name, part: "heading" }, t(`${name}.heading`)), ...parts);
}

const deed = (name, t, control, ...more) => section(name, t, h("div", { class: "deed" }, note(t(`${name}.text`)), control), ...more);

/**
 * @param {import("./data-element.js").DataElement} element  gets `fill()`, which shows what holds
 * @param {(words: object, error: Error) => string} reason
 */
export function dataParts(element, reason) {
  const { tocsin, words } = element;
  const { t } = words;
  dress(element.shadowRoot);
  const told = (error) => ([401, 404].includes(error.status) ? t("data.unknown") : reason(words, error));

  const said = live("note");
  const taking = button(t("export.button"), () => busy(taking, async () => {
    try {
      keep(await tocsin.export());
      said.className = "note";
      say(said, t("export.done", { file: FILE }));
    } catch (error) {
      said.className = "problem";
      say(said, told(error));
    }
  }));

  const past = pastAlerts(words, () => tocsin.history(), told);
  const erasing = erasure(element, told);
  const held = h("div", {}, section("history", t, note(t("history.text")), past.element),
    deed("export", t, taking, said), deed("erase", t, erasing.element));
  const none = note(t("data.none"));
  const { ended } = erasing;
  let was = false;

  element.fill = () => {
    const { isKnown } = tocsin;
    if (isKnown) ended.hidden = true;
    held.hidden = !isKnown;
    none.hidden = isKnown || !ended.hidden;
    if (isKnown && !was) past.load();
    was = isKnown;
  };
  return [held, none, ended];
}
