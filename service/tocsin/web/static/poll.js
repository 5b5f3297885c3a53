// Ask again and again, as long as the answer wants it.

const LONGEST = 10000;

/**
 * @param {() => Promise<number|null>} ask  Resolves to the milliseconds until the next time, or null to end.
 * @param {{failed?: (error: unknown) => boolean|void, first?: number}} [options]
 *   `failed` returning false ends it; else it waits twice as long each time, up to ten seconds.
 * @returns {() => void} Ends it.
 */
export function poll(ask, { failed = () => true, first = 500 } = {}) {
  let ended = false;
  let timer = 0;
  let wait = first;

  async function turn() {
    try {
      const next = await ask();
      wait = first;
      if (!ended && next !== null) timer = setTimeout(turn, next);
    } catch (error) {
      if (ended || failed(error) === false) return;
      wait = Math.min(LONGEST, wait * 2);
      timer = setTimeout(turn, wait);
    }
  }

  turn();
  return () => {
    ended = true;
    clearTimeout(timer);
  };
}
