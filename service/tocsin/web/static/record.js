// What this browser remembers of its subscription: in localStorage, and in a cache where the service worker finds it.

/** @param {URL} base */
export function recordOf(base) {
  const name = `tocsin:${base}`;
  const copy = new URL("_tocsin/subscription", base);
  const cache = () => caches.open("tocsin");
  const local = () => JSON.parse(localStorage.getItem(name));
  const cached = async () => (await (await cache()).match(copy))?.json() ?? null;
  // undefined: this storage is switched off
  const tried = async (read) => {
    try {
      return await read();
    } catch {
      return undefined;
    }
  };

  return {
    name,

    /** The worker may have renewed the subscription, so of two records those of this endpoint count; who left has left. */
    async read(endpoint) {
      const all = [await tried(cached), await tried(local)];
      const known = all.filter((one) => one !== undefined);
      const whole = known.filter((one) => one?.ended || (one?.id && one.token));
      const its = whole.filter((one) => one.endpoint === endpoint);
      const those = its.length ? its : whole;
      return known.length ? those.find(({ ended }) => ended) ?? those[0] ?? null : undefined;
    },

    async write(record) {
      await tried(() => (record ? localStorage.setItem(name, JSON.stringify(record)) : localStorage.removeItem(name)));
      await tried(async () => (record ? (await cache()).put(copy, Response.json(record)) : (await cache()).delete(copy)));
    },
  };
}
