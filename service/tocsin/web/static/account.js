// One browser's subscription as the service holds it.
import { keyOf } from "./push.js";
import { ProblemError, request } from "./request.js";
import { recordOf } from "./record.js";
import { namesFor, nameStory } from "./stories.js";

export class Account {
  #storage;
  record = null;
  /** In the place of a record, where the reader has left and the browser has not given the subscription up yet. */
  left = null;

  /** @param {URL} base */
  constructor(base) {
    this.base = base;
    this.#storage = recordOf(base);
    this.name = this.#storage.name;
  }

  /** @param {string|undefined} endpoint  the browser's own, where it has one */
  async known(endpoint) {
    const kept = await this.#storage.read(endpoint);
    // With storage switched off there is only what this page remembers.
    if (kept !== undefined) {
      this.left = kept?.ended ? kept : null;
      this.record = this.left ? null : kept;
    }
    for (const [id, name] of kept?.names ?? []) nameStory(id, name);
    return this.record;
  }

  async keep(record) {
    this.left = null;
    this.record = record && { ...record, names: namesFor(record.preferences) };
    await this.#storage.write(this.record);
  }

  /** From here on no visit heals, whatever fails or is cut off. @param {boolean} [late]  the subscription is still to come */
  async leave(late) {
    const { id, token, endpoint } = this.record ?? {};
    this.left ??= { id, token, endpoint, late, ended: true };
    this.record = null;
    await this.#storage.write(this.left);
  }

  /** Has the service forget this browser, where it has not yet. */
  async forget() {
    const known = this.record ?? this.left;
    if (!known?.id) return;
    await this.#send(known, "DELETE").catch((error) => {
      if (error.status !== 404) throw error;
    });
  }

  async ask(method, path, options) {
    if (!this.record?.id) throw new ProblemError({ code: "not_subscribed" });
    return this.#send(this.record, method, path, options);
  }

  #send({ id, token }, method, path = "", options = {}) {
    return request(new URL(`v1/subscriptions/${encodeURIComponent(id)}${path}`, this.base), { method, token, ...options });
  }

  /**
   * @param {PushSubscription} subscription
   * @param {{preferences: object, consent?: boolean, old: object|null}} options
   *   `consent`: given, or taken back; `old`: the record that this one replaces
   */
  async register(subscription, { preferences, consent, old }, site) {
    const { id, token, endpoint } = old ?? {};
    const same = endpoint === subscription.endpoint;
    const body = { subscription: subscription.toJSON(), application_server_key: keyOf(subscription), preferences };
    if (id && !same) body.replaces = { id, token };
    const version = consent && site.consent?.text_version;
    if (consent !== undefined && site.consent) body.consent = version ? { text_version: version } : null;
    const answer = await request(new URL("v1/subscriptions", this.base), { method: "POST", body, token: same ? token : undefined });
    await this.keep({ ...answer, endpoint: subscription.endpoint, consent: body.consent === undefined ? old?.consent : version });
  }
}
