// A panel for each push service: what it answered, and whether and how fast we send to it.
import { stackedBar } from "./chart.js";
import { confirm } from "./confirm.js";
import { h } from "./dom.js";
import { clock, count, milliseconds, percent, pushServiceName } from "./format.js";
import { actionButton, actionRow, redraw } from "./ops-act.js";

const ANSWERS = {
  accepted: "accepted",
  gone: "gone",
  rejected: "refused",
  throttled: "throttled",
  failed: "failed",
};

const isAhead = (time) => Boolean(time) && new Date(time) > new Date();
const subscriptionsOf = (n) => `${count(n)} ${n === 1 ? "subscription" : "subscriptions"}`;
const path = (name, verb) => `v1/ops/push-services/${encodeURIComponent(name)}/${verb}`;

function statusList(statuses) {
  const entries = Object.entries(statuses ?? {}).filter(([, n]) => n > 0).sort();
  if (!entries.length) return null;
  return h("p", { class: "small statuses" }, "By status: ", ...entries.flatMap(([code, n]) => [h("span", {}, h("b", {}, code), ` × ${count(n)}`), " "]));
}

function figures({ answers = {}, statuses, latency_ms: latency, pace_per_second: pace }) {
  const parts = Object.keys(ANSWERS).map((kind) => ({ kind, value: answers[kind] ?? 0 }));
  const all = parts.reduce((sum, { value }) => sum + value, 0);
  const present = parts.filter(({ value }) => value > 0);
  const label = present.map(({ kind, value }) => `${count(value)} ${ANSWERS[kind]}`).join(", ") || "no answers yet";
  return [
    stackedBar(parts, { label }),
    h("div", { class: "service-foot" },
      all === 0
        ? h("p", { class: "small" }, "Nothing sent yet.")
        : h("ul", { class: "legend" }, ...present.map(({ kind, value }) =>
          h("li", {}, h("span", { class: `swatch part-${kind}` }), h("b", {}, count(value)), h("span", {}, ANSWERS[kind]), h("span", { class: "share" }, percent(value, all))))),
      latency && h("p", { class: "small latency" }, "Answers in ", h("b", {}, milliseconds(latency.p50)), " (half), ", h("b", {}, milliseconds(latency.p99)), " (99 %)")),
    statusList(statuses),
    pace && h("p", { class: "small statuses" }, h("span", {}, "Pace: up to ", h("b", {}, count(Math.round(pace))), " a second")),
  ];
}

/** What is out of the ordinary, worst first: the chip, a sentence, and what an operator can do. */
function conditions(service, act) {
  const { push_service: name, stopped, breaker, storm_since: storm, held_until: held, quarantined } = service;
  const title = pushServiceName(name);
  const resume = (text) => actionButton({ name: "resume", text, primary: true, run: () => act(path(name, "resume"), `${title} goes on.`) });
  const found = [];
  if (stopped) {
    found.push({ looks: "bad", chip: "Stopped", actions: [resume("Resume")], text: stopped === "vapid_refused"
      ? "It refused our VAPID key. Nothing is sent to it and nobody is deleted. See that the key is the one that readers subscribed with, then resume."
      : `Reason: ${stopped}. Nothing is sent to it until it is resumed.` });
  } else if (breaker === "open") {
    found.push({ looks: "warn", chip: "Breaker open", actions: [resume("Close the breaker")],
      text: `It failed again and again. ${isAhead(held) ? `It is left alone until ${clock(held)}, then` : "Next"} one request at a time finds out whether it is back.` });
  } else if (breaker === "half_open") {
    found.push({ looks: "warn", chip: "Being tried", actions: [resume("Close the breaker")],
      text: "It failed again and again. The next requests go one at a time; the first that is accepted lets all others go on." });
  }
  if (storm) {
    const restore = actionButton({ name: "restore", text: "Restore all", primary: true, run: () => askRestore(name, quarantined, act) });
    const forGood = actionButton({ name: "confirm", text: "Delete for good", run: () => askDelete(name, quarantined, act) });
    found.push({ looks: "bad", chip: "Storm of gone subscriptions", actions: [restore, forGood],
      text: `Since ${clock(storm)} it calls far more subscriptions gone than usual. ${subscriptionsOf(quarantined)} in quarantine: kept, sent nothing, and deleted only when you say so.` });
  }
  if (isAhead(service.retry_after_until)) {
    found.push({ looks: "warn", chip: `Held until ${clock(service.retry_after_until)}`, actions: [], text: "It asked us to come back later, and all workers wait." });
  } else if (!found.length && isAhead(held)) {
    found.push({ looks: "warn", chip: `Held until ${clock(held)}`, actions: [], text: "" });
  }
  return found;
}

function askRestore(name, quarantined, act) {
  const title = pushServiceName(name);
  confirm({
    title: `Restore ${subscriptionsOf(quarantined)} at ${title}?`,
    body: [h("p", {}, "They get alerts again from now on. What they missed is not sent again. Whoever is gone all the same will be told apart by the next alert.")],
    yes: "Restore all",
    act: () => act(path(name, "restore"), `Those at ${title} are restored.`),
  });
}

function askDelete(name, quarantined, act) {
  const title = pushServiceName(name);
  confirm({
    title: `Delete ${subscriptionsOf(quarantined)} at ${title} for good?`,
    body: [h("p", {}, "They come back only when these readers visit the site again. Do this when you know from the push service that they are gone.")],
    yes: "Delete for good",
    danger: true,
    act: () => act(path(name, "confirm"), `Those at ${title} are deleted.`),
  });
}

function panel(name) {
  const part = (className) => h("div", { class: className });
  const [chips, size, state, shown] = [part("chips"), h("span", { class: "small" }), part("service-state"), part("service-figures")];
  const article = h("article", { class: "service", "data-push-service": name },
    h("header", {}, h("h3", { tabindex: "-1" }, pushServiceName(name)), chips, size), state, shown);
  return { article, chips, size, state, shown, looks: ["", ""] };
}

function draw(known, service, act) {
  const found = conditions(service, act);
  const quiet = service.quarantined > 0 && !service.storm_since;
  const now = [
    JSON.stringify([found.map(({ looks, chip, text }) => [looks, chip, text]), service.quarantined, service.subscriptions]),
    JSON.stringify([service.answers, service.statuses, service.latency_ms, service.pace_per_second]),
  ];
  if (known.looks[0] !== now[0]) {
    known.article.className = ["service", ...new Set(found.map(({ looks }) => looks))].join(" ");
    known.chips.replaceChildren(...found.map(({ looks, chip }) => h("span", { class: `chip ${looks}` }, chip)));
    known.size.replaceChildren(subscriptionsOf(service.subscriptions));
    redraw(known.state, [
      ...found.filter(({ text }) => text).map(({ looks, text, actions }) =>
        h("div", { class: `condition ${looks}` }, h("p", {}, text), actions.length > 0 && actionRow(...actions))),
      quiet && h("p", { class: "small" }, `${subscriptionsOf(service.quarantined)} called gone a moment ago, deleted in a few minutes unless there is a storm of them.`),
    ]);
  }
  if (known.looks[1] !== now[1]) known.shown.replaceChildren(...figures(service).filter(Boolean));
  known.looks = now;
}

/** @param {HTMLElement} element @param {(path: string, done: string) => Promise<void>} act */
export function pushServicePanels(element, act) {
  const panels = new Map();
  /** @param {any[]} services */
  return (services) => {
    for (const service of services) {
      const name = service.push_service;
      if (!panels.has(name)) {
        panels.set(name, panel(name));
        element.append(panels.get(name).article);
      }
      draw(panels.get(name), service, act);
    }
  };
}
