// What this browser has: the worker that pushes come to, and its push subscription.
import { ready, registered, scriptOf } from "./registration.js";
import { ProblemError } from "./request.js";

const PATIENCE = 30_000;
export const NO_PUSH_SERVICE = "push_service_unreachable";

export class Push {
  #base;
  #keys = [];
  #given = null;
  #scope;
  #registration = null;
  // Whether the worker is the site's own; not known before it is registered.
  #foreign = null;

  /** @param {URL} base */
  constructor(base) {
    this.#base = base;
  }

  /** Until it is registered, a script of the page may say which worker. @param {string|URL|ServiceWorkerRegistration} [given] @param {string} [scope] */
  use(given, scope) {
    this.#scope ??= scope;
    if (!given) return;
    if (this.#foreign === null) this.#given ??= given;
    if (scriptOf(this.#given) === scriptOf(given)) return;
    throw new Error(`tocsin: ${this.#base} is connected with another service worker, ${scriptOf(this.#given)}`);
  }

  /** @param {string[]} keys  the service's, base64url, the present one first */
  async register(keys) {
    this.#keys = keys;
    this.#foreign = Boolean(this.#given);
    this.#given ??= this.#base.origin === location.origin ? new URL("sw.js", this.#base) : "/tocsin/sw.js";
    this.#registration = await registered(this.#given, this.#scope);
  }

  get isReady() { return Boolean(this.#registration); }

  /** The worker wakes for a message only. */
  tell(message) {
    this.#registration.active?.postMessage(message);
  }

  async current() {
    return this.#registration?.pushManager.getSubscription();
  }

  /** @param {boolean} [fresh]  never the one there is */
  async subscription(fresh) {
    await ready(this.#registration);
    const { pushManager } = this.#registration;
    const current = await pushManager.getSubscription();
    if (current && !fresh && isMadeWith(current, this.#keys.slice(0, 1))) return current;
    return inTime(async () => {
      // With another key, subscribe() would throw InvalidStateError.
      await current?.unsubscribe();
      return pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: this.#keys[0] });
    });
  }

  /** Another provider's subscription in the site's own worker is not ours to end. */
  isOurs(subscription, endpoint) {
    return !this.#foreign || subscription.endpoint === endpoint || isMadeWith(subscription, this.#keys);
  }

  /** @returns {Promise<boolean>} Whether it is gone: a browser may refuse, and says false of one that was gone already. */
  async giveUp(subscription) {
    await inTime(() => subscription.unsubscribe()).catch(() => null);
    return !(await this.current());
  }
}

const isMadeWith = (subscription, keys) => [undefined, ...keys].includes(keyOf(subscription));

/** The key that it was made with, where the browser tells: a page that is open since before a rotation has the old one. */
export function keyOf(subscription) {
  const key = subscription.options?.applicationServerKey;
  if (!key) return;
  const text = btoa(String.fromCharCode(...new Uint8Array(key)));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** A browser may wait without end for a push service out of reach, and other tabs for this one. */
async function inTime(work) {
  let timer;
  const late = new Promise((_, reject) => {
    const title = "The browser's push service gave no answer in time";
    timer = setTimeout(() => reject(new ProblemError({ code: NO_PUSH_SERVICE, title })), PATIENCE);
  });
  try {
    return await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}
