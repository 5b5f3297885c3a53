// The registration that pushes come to, and whether Tocsin is in its worker.
import { ProblemError } from "./request.js";

export const NO_TOCSIN = "no_tocsin";

/** @param {ServiceWorkerRegistration} registration */
export const scriptOf = ({ installing, waiting, active }) => (installing ?? waiting ?? active)?.scriptURL;

/**
 * One that the site made goes before: it is taken with the scope that it has, whatever version the site put behind the
 * script's name.
 * @param {URL} url @param {string} [scope]
 */
export async function registered(url, scope) {
  const { href } = new URL(scope ?? ".", url);
  const all = await navigator.serviceWorker.getRegistrations();
  const had = all.find((one) => scriptOf(one)?.split("?")[0] === url.href.split("?")[0] && (!scope || one.scope === href));
  if (had && (!url.search || scriptOf(had) === url.href)) return had;
  return navigator.serviceWorker.register(url, { scope: had?.scope ?? href, updateViaCache: "none" });
}

/** Where Tocsin is not in it, nothing answers; a worker may take a moment to start. @param {ServiceWorker|null} worker */
const hears = (worker, tocsin) => new Promise((resolve) => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = ({ data }) => resolve(data?.tocsin);
  setTimeout(resolve, worker ? 5_000 : 0);
  worker?.postMessage({ tocsin }, [port2]);
});

/** @param {ServiceWorker} worker @param {string} state  which it leaves */
const past = (worker, state) => new Promise((resolve) => {
  const look = () => worker.state === state || resolve();
  worker.addEventListener("statechange", look);
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
  if (!registration.installing && !registration.waiting) await registration.update();
  const next = registration.installing ?? registration.waiting;
  if (next) {
    await past(next, "installing");
    if (await hears(next, "take over")) {
      await past(next, "installed");
      return past(next, "activating");
    }
  }
  throw new ProblemError({ code: NO_TOCSIN, title: `Tocsin is not in the active service worker of ${registration.scope}` });
}
