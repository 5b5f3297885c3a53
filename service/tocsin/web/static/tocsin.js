// Tocsin's SDK: a page's side of a Web Push subscription.
import { active, bytes, canPush, isAppleTouch, sameBytes } from "./assets/browser.js";
import { ProblemError, request } from "./assets/problem.js";

export { ProblemError };

/** @typedef {"unsupported"|"needs-home-screen"|"denied"|"subscribed"|"unsubscribed"} State */
/** @typedef {{topics?: string[], min_level?: string, topic_levels?: Record<string, string>}} Preferences */

const CACHE = "tocsin";

/** A browser's subscription at one Tocsin service. Dispatches `change` when `state` or `preferences` change. */
export class Tocsin extends EventTarget {
  #base;
  #registration = null;
  #record = null;
  #state = "unsupported";

  constructor(base) {
    super();
    this.#base = base;
    /** What the service says about itself (`GET /v1/site`). */
    this.site = null;
    /** @type {Error|null} Why the subscription could not be checked on this visit. */
    this.problem = null;
  }

  /**
   * Reads the site's settings and what this browser already has. Never asks the reader for anything.
   * @param {{base?: string|URL, serviceWorker?: string|URL|ServiceWorkerRegistration}} [options]
   *   `base`: the service's address, by default the folder this module came from.
   */
  static async connect({ base = new URL(".", import.meta.url), serviceWorker } = {}) {
    const tocsin = new Tocsin(new URL(base, location.href));
    await tocsin.#start(serviceWorker);
    return tocsin;
  }

  /** @returns {State} */
  get state() {
    return this.#state;
  }

  /** @returns {Preferences} The reader's, or what a new reader would start with. */
  get preferences() {
    return this.#record?.preferences ?? this.site.default_preferences;
  }

  /** Call it in a click: the browser's prompt comes up at once. */
  async subscribe(preferences = this.preferences) {
    const permission = await Notification.requestPermission();
    if (permission !== "granted") return this.#become(permission === "denied" ? "denied" : "unsubscribed");
    await this.#register(await this.#pushSubscription(), preferences);
    return this.#become("subscribed");
  }

  /** @param {object} patch A JSON merge patch: null takes a member away. */
  async update(patch) {
    const answer = await this.#ask("PATCH", "/preferences", { body: patch, type: "application/merge-patch+json" });
    const { preferences } = answer?.preferences ? answer : await this.#ask("GET");
    this.#keep({ ...this.#record, preferences });
    this.#become("subscribed");
  }

  /** The reader's word counts even when the service cannot be told: its push service will say "gone" then. */
  async unsubscribe() {
    if (this.#record) await this.#ask("DELETE").catch(() => null);
    const subscription = await this.#registration?.pushManager.getSubscription();
    await subscription?.unsubscribe();
    this.#keep(null);
    this.#become("unsubscribed");
  }

  /** A real push, to this browser alone. A subscription that its push service has ended is given up here too. */
  async test() {
    try {
      await this.#ask("POST", "/test");
    } catch (error) {
      if (error.status === 404) await this.unsubscribe();
      if (error.status !== 502) throw error;
      throw new ProblemError({ status: 502, code: "not_accepted", title: "The push service did not accept the test", detail: "Try again in a minute." });
    }
  }

  async #start(serviceWorker) {
    this.site = await request(this.#url("v1/site"));
    if (!canPush()) return this.#become(isAppleTouch() && !navigator.standalone ? "needs-home-screen" : "unsupported");
    const given = serviceWorker instanceof ServiceWorkerRegistration;
    this.#registration = given ? serviceWorker : await this.#registerWorker(serviceWorker);
    this.#record = this.#kept();
    // A visit is a time to tell what the worker was ended over; it wakes for a message only.
    this.#registration.active?.postMessage({ tocsin: "visit" });
    navigator.permissions?.query({ name: "notifications" }).then((status) => {
      status.addEventListener("change", () => this.#check());
    }, () => null);
    await this.#check();
  }

  #registerWorker(given = this.#url("sw.js")) {
    const url = new URL(given, location.href);
    const scope = new URL(".", url).pathname;
    return navigator.serviceWorker.register(url, { scope, updateViaCache: "none" });
  }

  async #check() {
    if (Notification.permission === "denied") return this.#become("denied");
    if (Notification.permission !== "granted") return this.#become("unsubscribed");
    const had = await this.#registration.pushManager.getSubscription();
    if (!had && !this.#record) return this.#become("unsubscribed");
    try {
      this.problem = null;
      await this.#heal();
    } catch (error) {
      this.problem = error;
      return this.#become(had ? "subscribed" : "unsubscribed");
    }
    return this.#become("subscribed");
  }

  // Browsers drop and renew subscriptions without a word, and sites change keys: each visit puts it right.
  async #heal() {
    const old = this.#record;
    const subscription = await this.#pushSubscription();
    if (old && old.endpoint === subscription.endpoint) {
      try {
        const { preferences } = await this.#ask("GET");
        return this.#keep({ ...old, preferences: preferences ?? old.preferences });
      } catch (error) {
        if (error.status !== 404) throw error;
      }
    }
    // With nothing kept here, the service's own memory of this browser stands, or else the site's defaults.
    return this.#register(subscription, old ? this.#stillOffered(old.preferences) : {});
  }

  // A topic that the site has given up since would be refused, and the reader with it.
  #stillOffered({ topics = [], topic_levels: levels, ...rest }) {
    const offered = new Set(this.site.topics.map(({ id }) => id));
    const own = Object.entries(levels ?? {}).filter(([id]) => offered.has(id));
    return { ...rest, topics: topics.filter((id) => offered.has(id)), topic_levels: Object.fromEntries(own) };
  }

  async #pushSubscription() {
    await active(this.#registration);
    const key = bytes(this.site.application_server_key);
    const { pushManager } = this.#registration;
    const current = await pushManager.getSubscription();
    const theirs = current?.options?.applicationServerKey;
    if (current && (!theirs || sameBytes(new Uint8Array(theirs), key))) return current;
    await current?.unsubscribe();
    return pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  }

  async #register(subscription, preferences) {
    const body = { subscription: subscription.toJSON(), preferences };
    const answer = await request(this.#url("v1/subscriptions"), { method: "POST", body });
    const old = this.#record;
    if (old && old.id !== answer.id) await this.#ask("DELETE").catch(() => null);
    this.#keep({ ...answer, preferences: answer.preferences ?? preferences, endpoint: subscription.endpoint });
  }

  #ask(method, path = "", options = {}) {
    const { id, token } = this.#record ?? {};
    if (!id) throw new Error("This browser is not subscribed.");
    return request(this.#url(`v1/subscriptions/${encodeURIComponent(id)}${path}`), { method, token, ...options });
  }

  #become(state) {
    this.#state = state;
    this.dispatchEvent(new Event("change"));
    return state;
  }

  #url(path) {
    return new URL(path, this.#base);
  }

  #kept() {
    try {
      return JSON.parse(localStorage.getItem(`tocsin:${this.#base}`));
    } catch {
      return null;
    }
  }

  // The copy in the cache is for the service worker, which cannot read localStorage. Storage may be switched off:
  // then a repeated registration gives the same id and token.
  #keep(record) {
    this.#record = record;
    const copy = this.#url("_tocsin/subscription");
    try {
      if (record) localStorage.setItem(`tocsin:${this.#base}`, JSON.stringify(record));
      else localStorage.removeItem(`tocsin:${this.#base}`);
    } catch { /* in memory only */ }
    globalThis.caches?.open(CACHE)
      .then((cache) => (record ? cache.put(copy, Response.json(record)) : cache.delete(copy)))
      .catch(() => null);
  }
}
