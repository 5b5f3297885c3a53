// What our elements have in common: a connection, a language, a look.
import { Tocsin } from "./client.js";
import { button, live } from "./controls.js";
import { h, say } from "./make.js";
import { sheet } from "./styles.js";
import { languageOf, words } from "./words.js";

// Scripts of the page may still call connect() and say where the service is: all have run at DOMContentLoaded.
const scriptsRan = new Promise((resolve) => {
  const [navigation] = performance.getEntriesByType("navigation");
  if (document.readyState === "complete" || navigation?.domContentLoadedEventStart) resolve();
  else document.addEventListener("DOMContentLoaded", resolve);
});

/** An error in the reader's language; the whole of it is for the site's developers. */
export function reason({ t }, error) {
  console.error("tocsin:", error);
  if (error.isNetwork) return t("problem.network");
  return t(error instanceof DOMException ? "problem.push" : "problem.other");
}

/** Extended by `build()`, the parts in the language of `this.words`, and `show()`, which fills them with what holds. */
export class TocsinElement extends HTMLElement {
  static observedAttributes = ["lang", "story", "name", "preferences"];

  #tocsin = null;
  words = null;

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [sheet()];
  }

  get tocsin() { return this.#tocsin; }

  set tocsin(value) {
    this.disconnectedCallback();
    this.#tocsin = value;
    if (this.isConnected) this.connectedCallback();
  }

  async connectedCallback() {
    await scriptsRan;
    const names = ["service", "service-worker", "service-worker-scope"];
    const [base, serviceWorker, scope] = names.map((name) => this.getAttribute(name) ?? undefined);
    let tocsin = this.#tocsin;
    try {
      tocsin ??= await Tocsin.connect({ base, serviceWorker, scope });
      // A connection of the site's own may have come meanwhile, and goes before.
      this.#tocsin ??= tocsin;
      if (!this.isConnected || tocsin !== this.#tocsin) return;
      this.#tocsin.addEventListener("change", this.#changed);
      this.#tocsin.addEventListener("words", this.#speak);
      await this.#speak();
      this.#tell();
    } catch (error) {
      if (tocsin === this.#tocsin) await this.#fail(error);
    }
  }

  disconnectedCallback() {
    this.#tocsin?.removeEventListener("change", this.#changed);
    this.#tocsin?.removeEventListener("words", this.#speak);
  }

  attributeChangedCallback() {
    if (this.words) this.#speak();
  }

  #speak = async () => {
    this.words = await words(languageOf(this, this.#tocsin), this.#tocsin);
    this.#fill(...this.build());
    this.show();
  };

  #changed = () => {
    if (!this.words) return;
    this.show();
    this.#tell();
  };

  #tell() {
    const { state, preferences } = this.#tocsin;
    this.dispatchEvent(new CustomEvent("tocsin-change", { bubbles: true, composed: true, detail: { state, preferences } }));
  }

  async #fail(error) {
    console.error("tocsin:", error);
    // Without words there is nothing to say and nothing to press; the next visit tries again.
    this.words = await words(languageOf(this));
    const problem = live("problem");
    this.#fill(problem, button(this.words.t("problem.again"), () => this.connectedCallback()));
    say(problem, reason(this.words, error));
    this.words = null;
  }

  #fill(...parts) {
    const { language, dir } = this.words ?? {};
    this.box = h("div", { class: "box", part: "box", lang: language, dir }, ...parts);
    this.shadowRoot.replaceChildren(this.box);
  }
}
