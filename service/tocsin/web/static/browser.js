// What this browser can do.

/** Where Tocsin is: this module is served in its folder of assets, and within tocsin.js beside that. */
export const ROOT = new URL(new URL(import.meta.url).pathname.endsWith("/tocsin.js") ? "." : "..", import.meta.url);

// The elements of a page share one connection to a service.
export const connections = new Map();

/** Where a service is: as said, else that of the page's first connection, else where this file came from. */
export function serviceAt(base) {
  const [first] = connections.keys();
  const url = new URL(base ?? first ?? ROOT, location.href);
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}

/** iPhone, iPad, or an iPad that calls itself a Mac. */
export const isAppleTouch = () =>
  /iPhone|iPad|iPod/.test(navigator.userAgent) || (navigator.platform === "MacIntel" && navigator.maxTouchPoints > 1);

/** iOS has these only in an app on the home screen. */
export const canPush = () =>
  "serviceWorker" in navigator && "PushManager" in globalThis && "Notification" in globalThis;

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
