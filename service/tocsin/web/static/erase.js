// Erasing all, after it was said what that means.
import { button } from "./controls.js";
import { busy, h, say } from "./make.js";

const HOURS = 24;
const STEPS = ["now", "day", "never"];

/**
 * @param {import("./data-element.js").DataElement} data
 * @param {(error: Error) => string} told
 */
export function erasure(data, told) {
  const { tocsin, words, shadowRoot } = data;
  const { t, time } = words;
  const ended = h("section", { class: "ended", part: "message", tabindex: "-1", hidden: true, "aria-labelledby": "ended" });
  const moment = (when) => time(when, { weekday: "short", day: "numeric", month: "short", hour: "numeric", minute: "2-digit" });

  function tell(now) {
    const times = { now: moment(now), then: moment(now + HOURS * 3_600_000) };
    ended.replaceChildren(h("h3", { id: "ended" }, t("erased.heading")), h("p", {}, t("erased.text", times)));
    ended.hidden = false;
    data.fill();
    ended.focus();
  }

  function ask() {
    const problem = h("p", { class: "problem", part: "problem", role: "alert" });
    const sure = button(t("erase.yes"), () => busy(sure, async () => {
      try {
        await tocsin.erase();
      } catch (error) {
        // Where no answer came, nobody knows.
        say(problem, `${error.isNetwork ? "" : t("erase.failed")} ${told(error)}`.trim());
        return;
      }
      dialog.close();
      tell(Date.now());
    }), "bad");
    const dialog = h("dialog", { part: "panel", "aria-labelledby": "sure", lang: words.language, dir: words.dir, onclose: () => dialog.remove() },
      h("div", { class: "head" }, h("h2", { id: "sure" }, t("erase.sure"))),
      h("div", {},
        h("dl", {}, ...STEPS.flatMap((step) => [h("dt", {}, t(`erase.${step}`)), h("dd", {}, t(`erase.${step}_text`))])),
        problem,
        h("div", { class: "row" }, sure, button(t("erase.no"), () => dialog.close(), "", { autofocus: true }))));
    shadowRoot.append(dialog);
    dialog.showModal();
  }

  return { element: button(t("erase.button"), ask, "danger", { "aria-haspopup": "dialog" }), ended };
}
