// Saves one change after another, and the newest of those that came meanwhile.

/**
 * @template T
 * @param {{save: (value: T) => Promise<unknown>, saving: () => void, saved: () => void, failed: (error: unknown) => void}} hooks
 * @returns {(value: T) => Promise<void>}
 */
export function autosave({ save, saving, saved, failed }) {
  let waiting = null;
  let running = false;

  return async (value) => {
    waiting = { value };
    if (running) return;
    running = true;
    try {
      while (waiting) {
        const next = waiting;
        waiting = null;
        saving();
        await save(next.value);
      }
      saved();
    } catch (error) {
      waiting = null;
      failed(error);
    } finally {
      running = false;
    }
  };
}
