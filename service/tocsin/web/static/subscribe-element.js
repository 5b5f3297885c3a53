// <tocsin-subscribe>: a button that opens our panel; afterwards, what is on and how to change or end it.
import { button, note } from "./controls.js";
import { h } from "./make.js";
import { reason, TocsinElement } from "./element.js";
import { deed, denial, openPanel } from "./panel.js";

export class SubscribeElement extends TocsinElement {
  #shown = null;
  // Brings back what was ended here, for who did not mean it.
  #undo = null;

  build() {
    this.#shown = null;
    this.view = h("div", { class: "row", role: "status" });
    return [this.view];
  }

  show() {
    const { state, problem, isKnown } = this.tocsin;
    const on = state === "subscribed";
    if (on) this.#undo = null;
    if (this.#shown === (this.#shown = [state, isKnown, problem].join())) return;
    const focused = this.shadowRoot.activeElement || this.matches(":focus");
    this.view.replaceChildren(...this.#parts(state));
    // A browser that blocks us, too, may have left something at the service.
    if (isKnown && !on) this.view.append(this.#open("data.title", "small data", "data"));
    if (problem && state !== "unsupported") this.#tell(problem);
    // What had the focus is gone: its successor takes it.
    if (focused) this.view.querySelector("button, a")?.focus();
  }

  #tell = (error) => {
    this.view.querySelector(".problem")?.remove();
    this.view.append(h("p", { class: "problem", part: "problem" }, reason(this.words, error)));
  };

  #open(key, name, view) {
    return button(this.words.t(key), () => openPanel(this, null, view), name, { "aria-haspopup": "dialog" });
  }

  #parts(state) {
    const { tocsin, words } = this;
    const { t } = words;
    if (state === "unsupported") return [h("p", { class: "note", part: "message" }, t("unsupported.text"))];
    if (state === "denied") return [h("details", { part: "message" }, h("summary", {}, t("denied.title")), ...denial(words))];
    if (state !== "subscribed") return this.#undo ? [note(t("subscribe.ended")), deed(words, "again", this.#undo, this.#tell)] : [this.#open("subscribe.button", "primary")];
    const page = this.getAttribute("preferences");
    return [h("p", { class: "on", part: "on" }, t("subscribe.on")),
      page ? h("a", { href: page, part: "link" }, t("subscribe.change")) : this.#open("subscribe.change", "small"),
      deed(words, "end", () => {
        const { preferences, consent } = tocsin;
        this.#undo = () => tocsin.subscribe(preferences, { consent });
        return tocsin.unsubscribe();
      }, this.#tell)];
  }
}
