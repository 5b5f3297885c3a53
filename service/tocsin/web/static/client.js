// A page's side of a Web Push subscription.
import { Account } from "./account.js";
import { canPush, connections, isAppleTouch, locked, serviceAt } from "./browser.js";
import { Membership } from "./membership.js";
import { together } from "./preferences.js";
import { NO_PUSH_SERVICE, Push } from "./push.js";
import { NO_TOCSIN } from "./registration.js";
import { ProblemError, request } from "./request.js";

export class Tocsin extends EventTarget {
  #account;
  #push;
  #membership;
  #waiting = [];

  constructor(base, texts, language) {
    super();
    this.#account = new Account(base);
    this.#push = new Push(base);
    this.#membership = new Membership(this.#account, this.#push, () => this.dispatchEvent(new Event("change")));
    Object.assign(this, { base, site: null, problem: null, texts: { ...texts }, language });
  }

  /** Reads what the site offers and what this browser has. Never asks the reader for anything. */
  static async connect({ base, serviceWorker, scope, texts, language } = {}) {
    const url = serviceAt(base);
    const had = connections.get(url.href);
    if (had) {
      had.tocsin.#push.use(serviceWorker, scope);
      Object.assign(had.tocsin.texts, texts);
      had.tocsin.language = language ?? had.tocsin.language;
      if (texts || language) had.tocsin.dispatchEvent(new Event("words"));
      return had.ready;
    }
    const tocsin = new Tocsin(url, texts, language);
    tocsin.#push.use(serviceWorker, scope);
    const ready = tocsin.#start().then(() => tocsin);
    connections.set(url.href, { tocsin, ready });
    ready.catch(() => connections.delete(url.href));
    return ready;
  }

  get state() { return this.#membership.state; }

  /** Blocked browsers, too, may have left something at the service. */
  get isKnown() { return Boolean(this.#account.record); }

  get preferences() { return this.#account.record?.preferences ?? this.site.default_preferences; }

  /** Call it in a click. Firefox and Safari show their prompt only while the click lasts: nothing may be awaited before it. */
  async subscribe(preferences = this.preferences, { consent } = {}) {
    if (!this.#push.isReady) return this.state;
    const permission = await Notification.requestPermission();
    if (permission !== "granted") return this.#membership.become(permission === "denied" ? "denied" : "unsubscribed");
    return this.#locked(async () => {
      const old = await this.#membership.known();
      try {
        await this.#membership.register({ preferences, consent, old }, true);
      } catch (error) {
        // Who was told that it failed is not subscribed by what comes later, to topics of our choice: a visit gives that up.
        if (!old && this.state !== "subscribed") await this.#account.leave(error.code === NO_PUSH_SERVICE);
        throw error;
      }
      this.problem = null;
      return this.#membership.become("subscribed");
    });
  }

  /**
   * One change after the other; those that come while one is being saved go together.
   * @param {object|((now: object) => object)} change A merge patch, or what makes one from the preferences of that moment.
   */
  update(change) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ change, resolve, reject });
      if (this.#waiting.length === 1) this.#locked(() => this.#save());
    });
  }

  /** The reader's word counts even when the service cannot be told: its push service will say "gone" then. */
  unsubscribe() {
    return this.#locked(() => this.#membership.known().then(() => this.#membership.leave()));
  }

  /** Unsubscribes only if the service has heard; nothing of ours stays in this browser. */
  erase() {
    return this.#locked(async () => {
      const record = await this.#membership.known();
      await this.#account.leave();
      try {
        await this.#account.forget();
      } catch (error) {
        if (record) await this.#account.keep(record);
        throw error;
      }
      await this.#membership.leave(true);
      await caches.delete("tocsin").catch(() => null);
      return this.state;
    });
  }

  /** A real push, to this browser alone. */
  test() { return this.#locked(() => this.#membership.sure("POST", "/test")); }

  /** Whether the reader agrees to the text of `site.consent`. */
  get consent() { return this.#membership.agrees; }

  agree(consent) {
    return this.#locked(async () => {
      const old = await this.#membership.known();
      if (!old) throw new ProblemError({ code: "not_subscribed" });
      await this.#membership.register({ preferences: {}, consent, old });
      return this.#membership.become("subscribed");
    });
  }

  history() { return this.#locked(async () => (await this.#membership.sure("GET", "/history")).alerts); }

  export() { return this.#locked(() => this.#membership.sure("GET", "/export")); }

  async #start() {
    this.#membership.site = this.site = await request(new URL("v1/site", this.base));
    // What is kept here can be seen and erased where nothing can be shown any more.
    await this.#membership.known();
    if (!canPush()) return this.#membership.become(isAppleTouch() && !navigator.standalone ? "needs-home-screen" : "unsupported");
    try {
      await this.#push.register(this.site.application_server_keys);
    } catch (error) {
      // A private window or a browser's settings may forbid workers; anything else is for the site to hear of.
      if (error.name !== "SecurityError" && error.name !== "NotSupportedError") throw error;
      this.problem = error;
      return this.#membership.become("unsupported");
    }
    // Without a key: all was cleared.
    addEventListener("storage", ({ key }) => [null, this.#account.name].includes(key) && this.#check());
    document.addEventListener("visibilitychange", () => document.hidden || this.#look());
    navigator.permissions?.query({ name: "notifications" }).then((status) => {
      status.addEventListener("change", () => this.#check());
    }, () => null);
    // A visit is a time to tell what the worker was ended over.
    this.#push.tell({ tocsin: "visit", site: this.site });
    return this.#check();
  }

  #check() {
    return this.#locked(async () => {
      const had = await this.#push.current();
      const old = await this.#membership.known();
      if (this.#account.left) return this.#membership.leave();
      if (Notification.permission === "denied") return this.#membership.become("denied");
      if (Notification.permission !== "granted" || !(had || old)) return this.#membership.become("unsubscribed");
      if (!old && !this.#push.isOurs(had)) return this.#membership.become("unsubscribed");
      try {
        this.problem = null;
        await this.#membership.heal(old ?? (await this.#membership.find(had)));
      } catch (error) {
        if (error.status === 410) return this.state;
        this.problem = error;
        // Where Tocsin is not in the worker, nothing shows its alerts; and the old subscription may have made way for none.
        const isOn = (await this.#push.current()) && error.code !== NO_TOCSIN;
        return this.#membership.become(isOn ? "subscribed" : "unsubscribed");
      }
      return this.#membership.become("subscribed");
    });
  }

  // Meanwhile the worker may have saved a choice that was made on an alert, or have heard that the subscription has ended;
  // and a page that the back button shows again heard of nothing.
  async #look() {
    const wasOn = this.state === "subscribed";
    const before = JSON.stringify(this.preferences);
    const record = await this.#locked(() => this.#membership.known());
    if (wasOn !== Boolean(record)) await this.#check();
    else if (wasOn && JSON.stringify(this.preferences) !== before) this.#membership.become("subscribed");
  }

  async #save() {
    const changes = this.#waiting.splice(0);
    try {
      await this.#membership.known();
      const body = together(this.preferences, changes);
      const { preferences } = await this.#membership.sure("PATCH", "/preferences", { body, type: "application/merge-patch+json" });
      await this.#account.keep({ ...this.#account.record, preferences });
      for (const { resolve } of changes) resolve(preferences);
      this.#membership.become(this.state);
    } catch (error) {
      for (const { reject } of changes) reject(error);
    }
  }

  #locked(work) {
    return locked(this.#account.name, work);
  }
}
