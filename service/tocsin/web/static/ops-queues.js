// A card for each queue: how much waits, for how long, and how that went since the page was opened.
import { history, sparkline } from "./chart.js";
import { confirm } from "./confirm.js";
import { $, h, say } from "./dom.js";
import { count, seconds } from "./format.js";
import { actionButton, actionRow, redraw } from "./ops-act.js";

const NAMES = {
  priority: ["Priority", "Flash, then breaking", "batches"],
  standard: ["Standard", "Updates and deferred", "batches"],
  maintenance: ["Maintenance", "Housekeeping", "jobs"],
};

const PAUSING = {
  priority: "No flash and no breaking alert goes out until you resume it. Alerts are still taken, and their time runs on.",
  standard: "No update goes out until you resume it. Alerts are still taken, and their time runs on.",
  maintenance: "Nothing is tidied up until you resume it: old ledgers stay, those called gone are not deleted, no message keys are made ahead. Alerts go on.",
};

function card(queue) {
  const [name, what, unit] = NAMES[queue] ?? [queue, "", "jobs"];
  const fact = (label, key) => h("div", {}, h("dt", {}, label), h("dd", { "data-fact": key }));
  return h("article", { class: "card" },
    h("header", {}, h("h3", {}, name), h("span", { class: "chip", "data-fact": "paused", hidden: true }, "Paused")),
    h("p", { class: "small" }, what),
    h("p", { class: "depth" }, h("b", { "data-fact": "waiting" }), ` ${unit} waiting`, h("span", { class: "peak", "data-fact": "peak" })),
    h("div", { class: "chart" }),
    h("dl", {}, fact("In work", "work"), fact("Oldest", "oldest"), fact("Per second", "pace")),
    h("div", { "data-fact": "pausing" }));
}

function pausing(queue, paused, act) {
  const [name] = NAMES[queue] ?? [queue];
  const path = (verb) => `v1/ops/queues/${encodeURIComponent(queue)}/${verb}`;
  const resume = () => act(path("resume"), `${name} goes on.`);
  const pause = () => confirm({
    title: `Pause the queue ${name}?`,
    body: [h("p", {}, PAUSING[queue] ?? "Nothing is taken out of it until you resume it.")],
    yes: "Pause",
    danger: true,
    act: () => act(path("pause"), `${name} is paused.`),
  });
  return actionRow(paused
    ? actionButton({ name: "pause", text: "Resume", primary: true, run: resume })
    : actionButton({ name: "pause", text: "Pause", run: pause }));
}

/** @param {HTMLElement} element @param {(path: string, done: string) => Promise<void>} act */
export function queueCards(element, act) {
  const known = new Map();

  function draw({ queue, waiting, in_work: work, oldest_age_seconds: oldest, throughput_per_second: pace, paused }) {
    if (!known.has(queue)) {
      known.set(queue, { card: card(queue), depth: history() });
      element.append(known.get(queue).card);
    }
    const { card: article, depth } = known.get(queue);
    depth.add(Date.now(), waiting);
    const fact = (name) => $(`[data-fact=${name}]`, article);
    say(fact("waiting"), count(waiting));
    say(fact("work"), count(work));
    say(fact("oldest"), seconds(oldest));
    say(fact("pace"), pace >= 10 || !pace ? count(Math.round(pace ?? 0)) : pace.toFixed(1));
    fact("paused").hidden = !paused;
    if (known.get(queue).paused !== paused) {
      known.get(queue).paused = paused;
      article.classList.toggle("warn", paused);
      redraw(fact("pausing"), [pausing(queue, paused, act)]);
    }
    const highest = Math.max(...depth.samples.map(([, value]) => value));
    const label = `Waiting since this page was opened: now ${count(waiting)}, at most ${count(highest)}`;
    say(fact("peak"), `highest ${count(highest)}`);
    $(".chart", article).replaceChildren(sparkline(depth.samples, { label }));
  }

  /** @param {any[]} queues */
  return (queues) => queues.forEach(draw);
}
