// A panel for each push service: what it answered, and whether it asked us to wait.
import { stackedBar } from "./chart.js";
import { h } from "./dom.js";
import { clock, count, milliseconds, percent, pushServiceName } from "./format.js";

const ANSWERS = {
  accepted: "accepted",
  gone: "gone",
  rejected: "refused",
  throttled: "throttled",
  failed: "failed",
};

function statusList(statuses) {
  const entries = Object.entries(statuses ?? {}).filter(([, n]) => n > 0).sort();
  if (!entries.length) return null;
  return h("p", { class: "small statuses" }, "By status: ", ...entries.flatMap(([code, n]) => [h("span", {}, h("b", {}, code), ` × ${count(n)}`), " "]));
}

function panel({ push_service: name, subscriptions, answers = {}, statuses, held_until: heldUntil, latency_ms: latency }) {
  const parts = Object.keys(ANSWERS).map((kind) => ({ kind, value: answers[kind] ?? 0 }));
  const all = parts.reduce((sum, { value }) => sum + value, 0);
  const present = parts.filter(({ value }) => value > 0);
  const label = present.map(({ kind, value }) => `${count(value)} ${ANSWERS[kind]}`).join(", ") || "no answers yet";
  const held = heldUntil && new Date(heldUntil) > new Date();
  return h("article", { class: held ? "service held" : "service" },
    h("header", {},
      h("h3", {}, pushServiceName(name)),
      held && h("span", { class: "chip held-chip" }, `Held until ${clock(heldUntil)}`),
      h("span", { class: "small" }, `${count(subscriptions)} ${subscriptions === 1 ? "subscription" : "subscriptions"}`)),
    stackedBar(parts, { label }),
    h("div", { class: "service-foot" },
      all === 0
        ? h("p", { class: "small" }, "Nothing sent yet.")
        : h("ul", { class: "legend" }, ...present.map(({ kind, value }) =>
          h("li", {}, h("span", { class: `swatch part-${kind}` }), h("b", {}, count(value)), h("span", {}, ANSWERS[kind]), h("span", { class: "share" }, percent(value, all))))),
      latency && h("p", { class: "small latency" }, "Answers in ", h("b", {}, milliseconds(latency.p50)), " (half), ", h("b", {}, milliseconds(latency.p99)), " (99 %)")),
    statusList(statuses));
}

/** @param {HTMLElement} element */
export function pushServicePanels(element) {
  let drawn = "";
  /** @param {any[]} services */
  return (services) => {
    const looks = JSON.stringify([services, services.map(({ held_until: held }) => held && new Date(held) > new Date())]);
    if (looks === drawn) return;
    drawn = looks;
    element.replaceChildren(...services.map(panel));
  };
}
