// What this browser can do, and its ways with keys and workers.

/** Where Tocsin is: this module is served in its folder of assets, and within tocsin.js beside that. */
export const ROOT = new URL(import.meta.url.endsWith("/tocsin.js") ? "." : "..", import.meta.url);

/** iPhone, iPad, or an iPad that calls itself a Mac. */
export const isAppleTouch = () =>
  /iPhone|iPad|iPod/.test(navigator.userAgent) || (navigator.platform === "MacIntel" && navigator.maxTouchPoints > 1);

/** iOS has these only in an app on the home screen. */
export const canPush = () =>
  "serviceWorker" in navigator && "PushManager" in globalThis && "Notification" in globalThis;

/**
 * A subscription needs an active worker; `navigator.serviceWorker.ready` would wait for ever on a page outside its scope.
 * @param {ServiceWorkerRegistration} registration
 */
function active(registration) {
  const worker = registration.installing ?? registration.waiting;
  if (registration.active || !worker) return null;
  return new Promise((resolve, reject) => {
    worker.addEventListener("statechange", () => {
      if (worker.state === "activated") resolve();
      if (worker.state === "redundant") reject(new Error("The service worker could not be installed."));
    });
  });
}

/** @param {URL} base @param {string|URL|ServiceWorkerRegistration} [given] */
export async function worker(base, given) {
  if (given instanceof ServiceWorkerRegistration) return given;
  const url = new URL(given ?? (base.origin === location.origin ? new URL("sw.js", base) : "/tocsin/sw.js"), location.href);
  const scope = new URL(".", url).href;
  try {
    return await navigator.serviceWorker.register(url, { scope, updateViaCache: "none" });
  } catch (error) {
    // Offline, or the script is out of reach for a moment: the worker of the last visit still does.
    const had = await navigator.serviceWorker.getRegistration(scope);
    if (had?.scope === scope) return had;
    throw error;
  }
}

/** @param {PushSubscription} subscription @param {string[]} keys  base64url */
export function isMadeWith(subscription, keys) {
  return [undefined, ...keys].includes(keyOf(subscription));
}

/** The key that it was made with, where the browser tells: a page that is open since before a rotation has the old one. */
export function keyOf(subscription) {
  const key = subscription.options?.applicationServerKey;
  if (!key) return;
  const text = btoa(String.fromCharCode(...new Uint8Array(key)));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** @param {ServiceWorkerRegistration} registration @param {string} key @param {boolean} [fresh]  never the one there is */
export async function pushSubscription(registration, key, fresh) {
  await active(registration);
  const { pushManager } = registration;
  const current = await pushManager.getSubscription();
  if (current && !fresh && isMadeWith(current, [key])) return current;
  // With another key, subscribe() would throw InvalidStateError.
  await current?.unsubscribe();
  return pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
}

let last = Promise.resolve();

/**
 * One at a time, other tabs included; of this page alone where the browser has no locks for it.
 * @template T
 * @param {string} name
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function locked(name, work) {
  let begun = false;
  const begin = () => {
    begun = true;
    return work();
  };
  try {
    return await navigator.locks.request(name, begin);
  } catch (error) {
    if (begun) throw error;
    last = last.then(work, work);
    return last;
  }
}
