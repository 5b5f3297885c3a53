// What our elements have in common: a connection, a language, a look.
import { serviceAt } from "./browser.js";
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
export function reason({ t, soon }, error) {
  console.error("tocsin:", error);
  const { code, status, errors } = error;
  const wait = error.retryAfter ?? 60;
  if (error.isNetwork) return t(navigator.onLine ? "problem.network" : "problem.offline");
  if (error instanceof DOMException || code === "push_service_unreachable") return t("problem.push");
  if (status === 410) return t("problem.ended");
  if (status === 429) return t("problem.often", { when: wait > 90 ? soon(Math.ceil(wait / 60), "minute") : soon(wait) });
  if (status !== 422) return t("problem.other");
  // A list has a limit; its stories have the form of one that could be saved before.
  if (errors.some(({ field }) => field.endsWith("_stories"))) return t("problem.full");
  return t("problem.refused", { what: errors.map(({ field, message }) => `${field}: ${message}`).join("; ") });
}

/**
 * Extended by `build()`, the parts in the language of `this.words`, and `show()`, which fills them with what holds; by
 * `files`, where it needs more words, and `load()`, where it needs more than those.
 */
export class TocsinElement extends HTMLElement {
  static observedAttributes = ["lang", "story", "name", "preferences"];

  #tocsin = null;
  #asked = null;
  words = null;
  files;

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
    const [service, serviceWorker, scope] = names.map((name) => this.getAttribute(name) ?? undefined);
    // A connection that fails is no longer the page's first.
    const base = serviceAt(service);
    let tocsin = this.#tocsin;
    try {
      tocsin ??= await Tocsin.connect({ base, serviceWorker, scope });
      // A connection of the site's own may have come meanwhile, and goes before.
      this.#tocsin ??= tocsin;
      if (!this.isConnected || tocsin !== this.#tocsin) return;
      this.#tocsin.addEventListener("change", this.#changed);
      this.#tocsin.addEventListener("words", this.#respeak);
      await this.#speak();
      this.#tell();
    } catch (error) {
      // Without words there is nothing to say and nothing to press; the next visit tries again.
      if (tocsin === this.#tocsin) await this.#fail(error, tocsin ?? { base }).catch(() => null);
    }
  }

  disconnectedCallback() {
    this.#tocsin?.removeEventListener("change", this.#changed);
    this.#tocsin?.removeEventListener("words", this.#respeak);
  }

  attributeChangedCallback() {
    if (this.words) this.#respeak();
  }

  load() {}

  async #speak() {
    const asked = Promise.all([words(languageOf(this, this.#tocsin), this.#tocsin, this.files), this.load()]);
    this.#asked = asked;
    const [answer] = await asked;
    // Of two changes the second counts, whichever words are there first.
    if (asked !== this.#asked || !this.isConnected) return;
    this.words = answer;
    this.#fill(...this.build());
    this.show();
  }

  // Words that cannot be had leave those that are there.
  #respeak = () => this.#speak().catch((error) => console.error("tocsin:", error));

  #changed = () => {
    if (!this.words) return;
    this.show();
    this.#tell();
  };

  #tell() {
    const { state, preferences } = this.#tocsin;
    this.dispatchEvent(new CustomEvent("tocsin-change", { bubbles: true, composed: true, detail: { state, preferences } }));
  }

  async #fail(error, service) {
    console.error("tocsin:", error);
    this.words = await words(languageOf(this, service), service);
    const problem = live("problem");
    this.#fill(problem, button(this.words.t("problem.again"), () => this.connectedCallback()));
    say(problem, reason(this.words, error));
    this.words = null;
  }

  #fill(...parts) {
    const { language, dir } = this.words;
    const box = h("div", { part: "box", lang: language, dir }, ...parts);
    // A panel that is open stays.
    if (this.box) this.box.replaceWith(box);
    else this.shadowRoot.append(box);
    this.box = box;
  }
}
