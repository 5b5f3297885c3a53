// Puts each complaint where it belongs: at its field, or above the form.
import { $, $$, say } from "./dom.js";
import { explain, ProblemError } from "./problem.js";

// "topics.0", "topics[0]" and "/topics/0" are all the topics' business.
const fieldName = (path) => String(path ?? "").split(/[.[\]/]+/).find(Boolean) ?? "";

function mark(field, message) {
  say($(".field-error", field), message);
  for (const input of $$("textarea, input[type=url]", field)) {
    if (message) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }
}

/**
 * @param {HTMLFormElement} form  Its fields are marked `data-field`.
 * @param {ProblemError|null} problem  null clears.
 * @param {string} [only]  Clear this field alone.
 */
export function showProblem(form, problem, only) {
  const fields = $$("[data-field]", form).filter((field) => !only || field.dataset.field === only);
  for (const field of fields) mark(field, "");
  if (only) return;

  const homeless = [];
  for (const error of problem?.errors ?? []) {
    const field = fields.find(({ dataset }) => dataset.field === fieldName(error.field));
    if (field) mark(field, [$(".field-error", field).textContent, error.message].filter(Boolean).join(" "));
    else homeless.push(error);
  }
  const general = problem && (homeless.length || !problem.errors.length);
  const top = $(".problem", form);
  top.hidden = !general;
  say(top, general ? explain(new ProblemError({ ...problem, errors: homeless })) : "");

  const first = fields.find((field) => $(".field-error", field).textContent);
  if (first) $("textarea, input", first).focus();
  else if (general) top.scrollIntoView({ block: "center" });
}
