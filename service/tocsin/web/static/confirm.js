// The one dialog of a desk page. It stays open until its work is done or the person goes back.
import { $, busy, say } from "./dom.js";
import { explain } from "./problem.js";

/**
 * @param {{title: string, body: Node[], yes: string, no?: string, danger?: boolean,
 *   act: () => Promise<unknown>, failed?: (error: any) => {close?: boolean, text?: string, yes?: string}|void}} ask
 */
export function confirm({ title, body, yes, no = "Back", danger = false, act, failed = () => {} }) {
  const dialog = $("#confirm");
  const form = $("form", dialog);
  const problem = $("#confirm-problem");
  const go = $("#confirm-yes");
  say($("#confirm-heading"), title);
  $("#confirm-body").replaceChildren(...body);
  say(go, yes);
  say($("#confirm-no"), no);
  dialog.classList.toggle("danger", danger);
  problem.hidden = true;

  form.onsubmit = (event) => {
    event.preventDefault();
    busy(go, async () => {
      problem.hidden = true;
      try {
        await act();
        dialog.close();
      } catch (error) {
        const then = failed(error) ?? {};
        if (then.close) return dialog.close();
        say(problem, then.text ?? explain(error));
        problem.hidden = false;
        if (then.yes) say(go, then.yes);
      }
    });
  };
  // Going back while a request is under way would hide what became of it.
  const free = () => go.getAttribute("aria-disabled") !== "true";
  $("#confirm-no").onclick = () => free() && dialog.close();
  dialog.oncancel = (event) => { if (!free()) event.preventDefault(); };
  dialog.showModal();
  $("#confirm-heading").focus();
}
