// The registration that pushes come to, and whether Tocsin is in its worker.
import { ProblemError } from "./request.js";

export const NO_TOCSIN = "no_tocsin";

/** @param {string|URL|ServiceWorkerRegistration} given */
export const scriptOf = (given) =>
  given.scope ? (given.installing ?? given.waiting ?? given.active)?.scriptURL : new URL(given, location.href).href;

/**
 * One that the site made goes before: it is taken with the scope that it has, whatever version the site put behind the
 * script's name.
 * @param {string|URL|ServiceWorkerRegistration} given @param {string} [scope]
 */
export async function registered(given, scope) {
  if (given.scope) return given;
  const url = scriptOf(given);
  const { href } = new URL(scope ?? ".", url);
  const all = await navigator.serviceWorker.getRegistrations();
  const had = all.find((one) => scriptOf(one)?.split("?")[0] === url.split("?")[0] && (!scope || one.scope === href));
  if (had && (!url.includes("?") || scriptOf(had) === url)) return had;
  // A site that requires Trusted Types gives one of its own, which has to arrive as it is.
  const options = { scope: had?.scope ?? href, updateViaCache: "none" };
  return navigator.serviceWorker.register(given.toJSON ? given : url, options);
}

/** Where Tocsin is not in it, nothing answers; a worker may take a moment to start. @param {ServiceWorker|null} worker */
const hears = (worker, tocsin) => new Promise((resolve) => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = ({ data }) => resolve(data?.tocsin);
  setTimeout(resolve, worker ? 5_000 : 0);
  worker?.postMessage({ tocsin }, [port2]);
});

/** Whether it leaves this state in time: a script that it imports may not come. @param {ServiceWorker} worker */
const past = (worker, state) => new Promise((resolve) => {
  const look = () => worker.state === state || resolve(true);
  worker.addEventListener("statechange", look);
  setTimeout(resolve, 30_000);
  look();
});

/**
 * Pushes go to the active worker, also while a newer one, which has Tocsin in itself, waits for the site's last tab to
 * close. That one is asked to wait no longer; a site may have it refuse. The first of all has nothing to wait for.
 * @param {ServiceWorkerRegistration} registration
 */
export async function ready(registration) {
  const { active } = registration;
  if (await hears(active, "here")) return;
  if (registration.active !== active) return ready(registration);
  if (!registration.installing && !registration.waiting) await registration.update().catch(() => null);
  const next = registration.installing ?? registration.waiting;
  const takesOver = next && await past(next, "installing") && await hears(next, "take over");
  if (takesOver && await past(next, "installed") && await past(next, "activating")) return;
  throw new ProblemError({ code: NO_TOCSIN, title: `Tocsin is not in the active service worker of ${registration.scope}` });
}
