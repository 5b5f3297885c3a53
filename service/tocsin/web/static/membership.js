// What this browser has and what the service holds of it, brought together.
import { stillOffered } from "./preferences.js";
import { keyOf } from "./push.js";

export class Membership {
  #account;
  #push;
  #onChange;
  site = null;
  state = "unsupported";

  /** @param {() => void} onChange */
  constructor(account, push, onChange) {
    this.#account = account;
    this.#push = push;
    this.#onChange = onChange;
  }

  become(state) {
    this.state = state;
    this.#onChange();
    return state;
  }

  async known() {
    return this.#account.known((await this.#push.current())?.endpoint);
  }

  get agrees() {
    const { consent } = this.#account.record ?? {};
    return Boolean(consent) && consent === this.site.consent?.text_version;
  }

  /** @param {PushSubscription|null} had  what the browser has, of whom there may be no record */
  async find(had) {
    // One that came from another provider, or whose record was lost, has its preferences at the service: known by the
    // key that it has, it takes them along to the present one.
    if (!this.site.application_server_keys.slice(1).includes(keyOf(had))) return null;
    try {
      await this.#account.register(had, { preferences: {}, old: null }, this.site);
    } catch (error) {
      if (error.status === 410) await this.leave();
      if (error.status !== 409) throw error;
    }
    return this.#account.record;
  }

  /** Browsers drop and renew subscriptions without a word, and sites change keys: each visit puts it right. */
  async heal(old, fresh = false) {
    const subscription = await this.#push.subscription(fresh);
    if (!old) return this.register({ preferences: {}, old }); // what the service remembers of this browser, or its defaults
    try {
      const { preferences, consent } = await this.#account.ask("GET");
      if (old.endpoint === subscription.endpoint) return this.#account.keep({ ...old, preferences, consent: consent?.text_version });
    } catch (error) {
      if (error.status !== 404) throw error;
      return this.register({ preferences: stillOffered(old.preferences, this.site), consent: this.agrees || undefined, old });
    }
    return this.register({ preferences: {}, old }); // `replaces` carries them over
  }

  async register(options, inClick) {
    try {
      return await this.#account.register(await this.#push.subscription(), options, this.site);
    } catch (error) {
      // 410: erased on its reader's request. Only the reader may want it anew, and then as somebody else.
      const ended = error.status === 410;
      if (ended && !inClick) await this.leave();
      // 409: the endpoint is held for other keys, and we have no token to prove that it is ours. A new one will be.
      if (ended ? !inClick : error.status !== 409) throw error;
      return this.#account.register(await this.#push.subscription(true), ended ? { ...options, old: null } : options, this.site);
    }
  }

  /** What is cut off or refused here is done by the next visit. @param {boolean} [told]  the service knows */
  async leave(told) {
    await this.#account.leave();
    if (!told) await this.#account.forget().catch(() => null);
    const current = await this.#push.current();
    const { endpoint, late } = this.#account.left;
    if (current ? !this.#push.isOurs(current, endpoint) || (await this.#push.giveUp(current)) : !late) await this.#account.keep(null);
    if (!this.#push.isReady) return this.become(this.state);
    return this.become(Notification.permission === "denied" ? "denied" : "unsubscribed");
  }

  /** A service that does not know us any more is told of us again; by a new subscription where a push found the old one ended. */
  async sure(method, path, options) {
    await this.known();
    try {
      return await this.#account.ask(method, path, options);
    } catch (error) {
      if (error.status !== 404 || this.state !== "subscribed") throw error;
      await this.heal(this.#account.record, path === "/test");
      return this.#account.ask(method, path, options);
    }
  }
}
