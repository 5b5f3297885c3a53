// A button that does something to a queue or a push service, and says beside it when that failed.
import { busy, h, say } from "./dom.js";
import { explain } from "./problem.js";

/**
 * @param {{name: string, text: string, primary?: boolean, run: () => Promise<unknown>|void}} action
 *   `name` finds the button again after its surroundings were drawn anew.
 */
export function actionButton({ name, text, primary = false, run }) {
  const button = h("button", {
    class: primary ? "button primary small-button" : "button small-button",
    type: "button",
    "data-action": name,
    onclick: () => busy(button, async () => {
      const problem = button.closest("[data-actions]")?.querySelector("[role=alert]");
      if (problem) problem.hidden = true;
      try {
        await run();
      } catch (error) {
        if (!problem) throw error;
        say(problem, explain(error));
        problem.hidden = false;
      }
    }),
  }, text);
  return button;
}

/** Buttons in a row, with a place for what went wrong. @param {...HTMLElement} buttons */
export function actionRow(...buttons) {
  return h("div", { class: "actions", "data-actions": true },
    h("div", { class: "action-buttons" }, ...buttons),
    h("p", { class: "problem", role: "alert", hidden: true }));
}

/** Draws anew and leaves the focus on the button that had it. @param {HTMLElement} element @param {(Node|null|false)[]} children */
export function redraw(element, children) {
  const focused = element.contains(document.activeElement) ? document.activeElement.dataset.action : null;
  element.replaceChildren(...children.filter(Boolean));
  if (!focused) return;
  const again = element.querySelector(`[data-action="${focused}"]`) ?? element.closest("article").querySelector("h3");
  again?.focus();
}
