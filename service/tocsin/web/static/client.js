// A page's side of a Web Push subscription.
import { Account } from "./account.js";
import { canPush, connections, isAppleTouch, locked, serviceAt } from "./browser.js";
import { stillOffered, together } from "./preferences.js";
import { keyOf, NO_PUSH_SERVICE, Push } from "./push.js";
import { NO_TOCSIN } from "./registration.js";
import { ProblemError, request } from "./request.js";

export class Tocsin extends EventTarget {
  #account;
  #push;
  #state = "unsupported";
  #waiting = [];

  constructor(base, texts, language) {
    super();
    this.#account = new Account(base);
    this.#push = new Push(base);
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

  get state() { return this.#state; }

  /** Blocked browsers, too, may have left something at the service. */
  get isKnown() { return Boolean(this.#account.record); }

  get preferences() { return this.#account.record?.preferences ?? this.site.default_preferences; }

  /** Call it in a click. Firefox and Safari show their prompt only while the click lasts: nothing may be awaited before it. */
  async subscribe(preferences = this.preferences, { consent } = {}) {
    if (!this.#push.isReady) return this.#state;
    const permission = await Notification.requestPermission();
    if (permission !== "granted") return this.#become(permission === "denied" ? "denied" : "unsubscribed");
    return this.#locked(async () => {
      const old = await this.#known();
      try {
        await this.#register({ preferences, consent, old }, true);
      } catch (error) {
        // Who was told that it failed is not subscribed by what comes later, to topics of our choice: a visit gives that up.
        if (!old && this.#state !== "subscribed") await this.#account.leave(error.code === NO_PUSH_SERVICE);
        throw error;
      }
      this.problem = null;
      return this.#become("subscribed");
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
    return this.#locked(() => this.#known().then(() => this.#leave()));
  }

  /** Unsubscribes only if the service has heard; nothing of ours stays in this browser. */
  erase() {
    return this.#locked(async () => {
      const record = await this.#known();
      await this.#account.leave();
      try {
        await this.#account.forget();
      } catch (error) {
        if (record) await this.#account.keep(record);
        throw error;
      }
      await this.#leave(true);
      await caches.delete("tocsin").catch(() => null);
      return this.#state;
    });
  }

  /** A real push, to this browser alone. */
  test() { return this.#locked(() => this.#sure("POST", "/test")); }

  /** Whether the reader agrees to the text of `site.consent`. */
  get consent() {
    const { consent } = this.#account.record ?? {};
    return Boolean(consent) && consent === this.site.consent?.text_version;
  }

  agree(consent) {
    return this.#locked(async () => {
      const old = await this.#known();
      if (!old) throw new ProblemError({ code: "not_subscribed" });
      await this.#register({ preferences: {}, consent, old });
      return this.#become("subscribed");
    });
  }

  history() { return this.#locked(async () => (await this.#sure("GET", "/history")).alerts); }

  export() { return this.#locked(() => this.#sure("GET", "/export")); }

  async #start() {
    this.site = await request(new URL("v1/site", this.base));
    // What is kept here can be seen and erased where nothing can be shown any more.
    await this.#known();
    if (!canPush()) return this.#become(isAppleTouch() && !navigator.standalone ? "needs-home-screen" : "unsupported");
    try {
      await this.#push.register(this.site.application_server_keys);
    } catch (error) {
      // A private window or a browser's settings may forbid workers; anything else is for the site to hear of.
      if (error.name !== "SecurityError" && error.name !== "NotSupportedError") throw error;
      this.problem = error;
      return this.#become("unsupported");
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
      const old = await this.#known();
      if (this.#account.left) return this.#leave();
      if (Notification.permission === "denied") return this.#become("denied");
      if (Notification.permission !== "granted" || !(had || old)) return this.#become("unsubscribed");
      if (!old && !this.#push.isOurs(had)) return this.#become("unsubscribed");
      try {
        this.problem = null;
        await this.#heal(old ?? (await this.#recalled(had)));
      } catch (error) {
        if (error.status === 410) return this.#state;
        this.problem = error;
        // Where Tocsin is not in the worker, nothing shows its alerts; and the old subscription may have made way for none.
        return this.#become((await this.#push.current()) && error.code !== NO_TOCSIN ? "subscribed" : "unsubscribed");
      }
      return this.#become("subscribed");
    });
  }

  // Meanwhile the worker may have saved a choice that was made on an alert, or have heard that the subscription has ended;
  // and a page that the back button shows again heard of nothing.
  async #look() {
    const wasOn = this.#state === "subscribed";
    const before = JSON.stringify(this.preferences);
    const record = await this.#locked(() => this.#known());
    if (wasOn !== Boolean(record)) await this.#check();
    else if (wasOn && JSON.stringify(this.preferences) !== before) this.#become("subscribed");
  }

  // One that came from another provider, or whose record was lost, has its preferences at the service: known by the key
  // that it has, it takes them along to the present one.
  async #recalled(had) {
    if (!this.site.application_server_keys.slice(1).includes(keyOf(had))) return null;
    try {
      await this.#account.register(had, { preferences: {}, old: null }, this.site);
    } catch (error) {
      if (error.status === 410) await this.#leave();
      if (error.status !== 409) throw error;
    }
    return this.#account.record;
  }

  // Browsers drop and renew subscriptions without a word, and sites change keys: each visit puts it right.
  async #heal(old, fresh = false) {
    const subscription = await this.#push.subscription(fresh);
    if (!old) return this.#register({ preferences: {}, old }); // what the service remembers of this browser, or its defaults
    try {
      const { preferences, consent } = await this.#account.ask("GET");
      if (old.endpoint === subscription.endpoint) return this.#account.keep({ ...old, preferences, consent: consent?.text_version });
    } catch (error) {
      if (error.status !== 404) throw error;
      return this.#register({ preferences: stillOffered(old.preferences, this.site), consent: this.consent || undefined, old });
    }
    return this.#register({ preferences: {}, old }); // `replaces` carries them over
  }

  async #register(options, inClick) {
    try {
      return await this.#account.register(await this.#push.subscription(), options, this.site);
    } catch (error) {
      // 410: erased on its reader's request. Only the reader may want it anew, and then as somebody else.
      const ended = error.status === 410;
      if (ended && !inClick) await this.#leave();
      // 409: the endpoint is held for other keys, and we have no token to prove that it is ours. A new one will be.
      if (ended ? !inClick : error.status !== 409) throw error;
      return this.#account.register(await this.#push.subscription(true), ended ? { ...options, old: null } : options, this.site);
    }
  }

  // What is cut off or refused here is done by the next visit.
  async #leave(told = false) {
    await this.#account.leave();
    if (!told) await this.#account.forget().catch(() => null);
    const current = await this.#push.current();
    const { endpoint, late } = this.#account.left;
    if (current ? !this.#push.isOurs(current, endpoint) || (await this.#push.giveUp(current)) : !late) await this.#account.keep(null);
    if (!this.#push.isReady) return this.#become(this.#state);
    return this.#become(Notification.permission === "denied" ? "denied" : "unsubscribed");
  }

  async #save() {
    const changes = this.#waiting.splice(0);
    try {
      await this.#known();
      const body = together(this.preferences, changes);
      const { preferences } = await this.#sure("PATCH", "/preferences", { body, type: "application/merge-patch+json" });
      await this.#account.keep({ ...this.#account.record, preferences });
      for (const { resolve } of changes) resolve(preferences);
      this.#become("subscribed");
    } catch (error) {
      for (const { reject } of changes) reject(error);
    }
  }

  // A service that does not know us any more is told of us again; by a new subscription where a push found the old one ended.
  async #sure(method, path, options) {
    await this.#known();
    try {
      return await this.#account.ask(method, path, options);
    } catch (error) {
      if (error.status !== 404 || this.#state !== "subscribed") throw error;
      await this.#heal(this.#account.record, path === "/test");
      return this.#account.ask(method, path, options);
    }
  }

  #locked(work) {
    return locked(this.#account.name, work);
  }

  async #known() {
    return this.#account.known((await this.#push.current())?.endpoint);
  }

  #become(state) {
    this.#state = state;
    this.dispatchEvent(new Event("change"));
    return state;
  }
}
