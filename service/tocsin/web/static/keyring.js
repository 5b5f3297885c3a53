// The API key of an editor's or operator's tab: kept for the tab alone, gone when it closes.
import { $, say } from "./dom.js";
import { explain } from "./problem.js";

const STORE = "tocsin.key";

// `#key=…` is for a link that an operator hands out; it must not stay in the address bar or the history.
function takeFromAddress() {
  const found = /^#key=(.+)$/.exec(location.hash);
  if (!found) return null;
  history.replaceState(null, "", location.pathname + location.search);
  try {
    return decodeURIComponent(found[1]);
  } catch {
    return found[1];
  }
}

/**
 * Shows the key form until a key is there and accepted.
 * @param {{enter: (key: string) => Promise<void>, leave: () => void}} page
 *   `enter` rejects when the service refuses the key; `leave` ends everything that runs.
 */
export function keyring({ enter, leave }) {
  const gate = $("#gate");
  const inside = $("#inside");
  const input = $("#key");
  const lockButton = $("#lock");

  function show(open) {
    gate.hidden = open;
    inside.hidden = !open;
    lockButton.hidden = !open;
  }

  function close(reason = "") {
    sessionStorage.removeItem(STORE);
    leave();
    show(false);
    say($("#key-error"), reason);
    input.value = "";
    input.focus();
  }

  async function tryKey(key) {
    if (!/^[\x21-\x7e]+$/.test(key)) return close(key ? "An API key has no spaces or accents. Was it copied whole?" : "Paste an API key.");
    try {
      await enter(key);
      sessionStorage.setItem(STORE, key);
      say($("#key-error"), "");
      show(true);
    } catch (error) {
      if (refuses(error)) return close(`This key was not accepted. ${explain(error)}`);
      sessionStorage.setItem(STORE, key);
      show(false);
      input.value = key;
      say($("#key-error"), explain(error));
    }
  }

  $("#key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    tryKey(input.value.trim());
  });
  lockButton.addEventListener("click", () => close());
  addEventListener("hashchange", () => {
    const key = takeFromAddress();
    if (key) tryKey(key);
  });

  const known = takeFromAddress() ?? sessionStorage.getItem(STORE);
  if (known) tryKey(known);
  else show(false);
  return { close };
}

/** Does the service refuse the key itself? @param {unknown} error */
export function refuses(error) {
  return error?.status === 401 || error?.status === 403;
}
