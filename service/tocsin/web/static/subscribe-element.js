// <tocsin-subscribe>: a button that opens our panel; afterwards, what is on and how to change it.
import { h } from "./make.js";
import { reason, TocsinElement } from "./element.js";
import { denial, openPanel } from "./panel.js";

export class SubscribeElement extends TocsinElement {
  #state = null;

  build() {
    this.#state = null;
    this.view = h("div", { class: "row", role: "status" });
    return [this.view];
  }

  show() {
    const { state, problem } = this.tocsin;
    if (state === this.#state) return;
    const focused = this.shadowRoot.activeElement || this.matches(":focus");
    this.#state = state;
    this.view.replaceChildren(...this.#parts(state), ...(problem && state !== "unsupported" ? [h("p", { class: "problem", part: "problem" }, reason(this.words, problem))] : []));
    // What had the focus is gone: its successor takes it.
    if (focused) this.view.querySelector("button, a")?.focus();
  }

  #parts(state) {
    const { t } = this.words;
    const open = (text, name) => h("button", { type: "button", class: name, part: `button ${name}`, "aria-haspopup": "dialog", onclick: () => openPanel(this) }, text);
    if (state === "unsupported") return [h("p", { class: "note", part: "message" }, t("unsupported.text"))];
    if (state === "denied") return [h("details", { part: "message" }, h("summary", {}, t("denied.title")), ...denial(this.words))];
    if (state !== "subscribed") return [open(t("subscribe.button"), "primary")];
    const page = this.getAttribute("preferences");
    return [h("p", { class: "on", part: "on" }, t("subscribe.on")),
      page ? h("a", { href: page, part: "link" }, t("subscribe.change")) : open(t("subscribe.change"), "small")];
  }
}
