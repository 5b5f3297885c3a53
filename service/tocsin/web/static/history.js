// "Why did I (not) get this?": recent alerts, what became of each for this browser, and why.
import { busy, h } from "./dom.js";
import { since, told } from "./page-words.js";

const FIRST = 8;

// What a reader needs to tell apart at a glance.
const KINDS = { accepted: "sent", pending: "waiting", retrying: "waiting", deferred: "held", set_aside: "failed", rejected: "failed" };
const NAMES = { sent: "history.sent", waiting: "history.waiting", held: "history.held", not: "history.not", failed: "history.failed_one" };

/** @typedef {{alert: string, headline: string, level: string, sent_at: string, outcome: string, reason: string|null, why: string}} Entry */

function why({ outcome, reason, why: words }, t) {
  const key = reason && outcome !== "deferred" ? `why.reason.${reason}` : `why.${outcome}`;
  try {
    return t(key);
  } catch {
    return words; // of a newer service: its own words, in English
  }
}

function row(entry, t) {
  const kind = KINDS[entry.outcome] ?? "not";
  return h("li", { class: `fate ${kind}` },
    h("p", { class: "fate-name" }, t(NAMES[kind])),
    h("div", {},
      h("p", { class: "fate-headline", dir: "auto" }, entry.headline),
      h("p", { class: "fate-why" },
        h("span", {}, t(`level.${entry.level}`)),
        h("time", { datetime: entry.sent_at }, since(entry.sent_at))),
      entry.outcome !== "accepted" && h("p", { class: "fate-reason" }, why(entry, t))));
}

/**
 * @param {HTMLElement} place @param {import("./page-words.js").Say} t
 * @param {() => Promise<{alerts: Entry[]}>} ask
 */
export async function showHistory(place, t, ask) {
  const again = (words) => {
    const button = h("button", { class: "button quiet again", type: "button", onclick: () => busy(button, async () => {
      await showHistory(place, t, ask);
      // The one that was pressed has made way.
      place.querySelector(".again").focus();
    }) }, words);
    return button;
  };
  try {
    const { alerts } = await ask();
    // Who has just subscribed is not asked to read what all others got before.
    const own = alerts.filter(({ reason }) => reason !== "subscribed_later");
    if (!own.length) return place.replaceChildren(h("p", { class: "empty" }, t("history.none")), again(t("history.refresh")));
    const rows = own.map((entry) => row(entry, t));
    const list = h("ol", { class: "fates" }, ...rows.slice(0, FIRST));
    const rest = rows.slice(FIRST);
    const all = rest.length > 0 && h("button", { class: "button", type: "button", onclick: () => {
      list.append(...rest);
      all.remove();
      rest[0].tabIndex = -1;
      rest[0].focus();
    } }, t("history.all", { count: rows.length }));
    place.replaceChildren(list, h("div", { class: "after" }, h("p", { class: "small" }, t("history.meaning")), all, again(t("history.refresh"))));
  } catch (error) {
    place.replaceChildren(h("div", { class: "empty", role: "alert" },
      h("p", {}, `${t("history.failed")} ${told(t, error)}`), again(t("again"))));
  }
}
