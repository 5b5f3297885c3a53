// One browser's subscription as the service holds it.
import { keyOf } from "./browser.js";
import { ProblemError, request } from "./request.js";
import { recordOf } from "./record.js";
import { namesFor, nameStory } from "./stories.js";

export class Account {
  #storage;
  record = null;

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
    if (kept !== undefined) this.record = kept;
    for (const [id, name] of kept?.names ?? []) nameStory(id, name);
    return this.record;
  }

  async keep(record) {
    this.record = record && { ...record, names: namesFor(record.preferences) };
    await this.#storage.write(this.record);
  }

  async ask(method, path = "", options = {}) {
    const { id, token } = this.record ?? {};
    if (!id) throw new ProblemError({ code: "not_subscribed" });
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
