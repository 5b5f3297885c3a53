// The latest alerts, as anybody may see them.
import { $, busy, h, say } from "./dom.js";
import { since, told } from "./page-words.js";
import { request } from "./request.js";

const FIRST = 6;
const SERVICE = new URL("..", import.meta.url);

/** @typedef {{id: string, kind: string, headline: string, body: string, url: string, topics: string[], level: string, corrects: string|null, sent_at: string}} Alert */

function item(alert, t, names) {
  const topics = alert.topics.map((id) => names.get(id)).filter(Boolean);
  return h("li", { class: `wire ${alert.level}` },
    h("p", { class: "wire-from" },
      h("span", { class: "level" }, t(`level.${alert.level}`)),
      alert.corrects && h("span", {}, t(alert.kind === "retraction" ? "retracted" : "corrected")),
      h("time", { datetime: alert.sent_at }, since(alert.sent_at)),
      ...topics.map((name) => h("span", {}, name))),
    h("h3", { dir: "auto" }, h("a", { href: alert.url }, alert.headline)),
    alert.body && h("p", { class: "wire-body", dir: "auto" }, alert.body));
}

function list(alerts, t, names) {
  const items = alerts.map((alert) => item(alert, t, names));
  const shown = h("ol", { class: "wires" }, ...items.slice(0, FIRST));
  const rest = items.slice(FIRST);
  const more = rest.length > 0 && h("button", { class: "button", type: "button", onclick: () => {
    shown.append(...rest);
    more.remove();
    rest[0].querySelector("a").focus();
  } }, t("home.latest_more"));
  return [shown, more].filter(Boolean);
}

/** The newest one as it looks on a screen; before there is one, what stands where. */
function showExample({ headline, body }) {
  say($("#example-title"), headline);
  say($("#example-body"), body);
}

/**
 * Fills `place` now, and again from its own button where that failed.
 * @param {HTMLElement} place @param {import("./page-words.js").Say} t
 */
export async function showLatest(place, t) {
  place.setAttribute("aria-busy", "true");
  try {
    const asked = [request(new URL("v1/alerts/recent", SERVICE)), request(new URL("v1/site", SERVICE))];
    const [{ alerts }, { topics }] = await Promise.all(asked);
    const names = new Map(topics.map(({ id, name }) => [id, name]));
    const sample = alerts.find(({ kind }) => kind !== "retraction");
    if (sample) showExample(sample);
    place.replaceChildren(...(alerts.length ? list(alerts, t, names) : [h("p", { class: "empty" }, t("home.latest_none"))]));
  } catch (error) {
    const again = h("button", { class: "button", type: "button", onclick: () => busy(again, async () => {
      await showLatest(place, t);
      // It has made way for what was asked for, or for another.
      place.querySelector("a, button")?.focus();
    }) }, t("again"));
    place.replaceChildren(h("div", { class: "empty", role: "alert" },
      h("p", {}, `${t("home.latest_failed")} ${told(t, error)}`), again));
  } finally {
    place.removeAttribute("aria-busy");
  }
}
