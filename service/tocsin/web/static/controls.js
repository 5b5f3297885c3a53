// The controls that our elements share.
import { h } from "./make.js";

/** @param {string} [name]  its class, which is a part as well */
export const button = (text, onclick, name = "", more = {}) =>
  h("button", { type: "button", class: name, part: `button ${name}`, onclick, ...more }, text);

export const tick = (onchange) => h("input", { type: "checkbox", onchange });

/** The text may be of another language than ours. */
export const ticked = (input, ...text) => h("label", { class: "check" }, input, h("span", { dir: "auto" }, ...text));

export const field = (text, control) => h("label", { class: "field" }, text, control);

export const note = (...text) => h("p", { class: "note" }, ...text);

/** A line that is spoken when it changes. */
export const live = (name) => h("p", { class: name, part: name, role: "status" });

export const select = (onchange) => h("select", { onchange: ({ target }) => onchange(target.value) });

/** @param {[string, string][]} choices  value and text */
export function offer(control, choices, chosen) {
  control.replaceChildren(...choices.map(([value, text]) => h("option", { value }, text)));
  control.value = chosen;
}
