// A card for each queue: how much waits, for how long, and how that went since the page was opened.
import { history, sparkline } from "./chart.js";
import { $, h, say } from "./dom.js";
import { count, seconds } from "./format.js";

const NAMES = {
  priority: ["Priority", "Flash, then breaking", "batches"],
  standard: ["Standard", "Updates and deferred", "batches"],
  maintenance: ["Maintenance", "Housekeeping", "jobs"],
};

function card(queue) {
  const [name, what, unit] = NAMES[queue] ?? [queue, "", "jobs"];
  const fact = (label, key) => h("div", {}, h("dt", {}, label), h("dd", { "data-fact": key }));
  return h("article", { class: "card" },
    h("header", {}, h("h3", {}, name), h("span", { class: "chip", "data-fact": "paused", hidden: true }, "Paused")),
    h("p", { class: "small" }, what),
    h("p", { class: "depth" }, h("b", { "data-fact": "waiting" }), ` ${unit} waiting`, h("span", { class: "peak", "data-fact": "peak" })),
    h("div", { class: "chart" }),
    h("dl", {}, fact("In work", "work"), fact("Oldest", "oldest"), fact("Per second", "pace")));
}

/** @param {HTMLElement} element */
export function queueCards(element) {
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
    const highest = Math.max(...depth.samples.map(([, value]) => value));
    const label = `Waiting since this page was opened: now ${count(waiting)}, at most ${count(highest)}`;
    say(fact("peak"), `highest ${count(highest)}`);
    $(".chart", article).replaceChildren(sparkline(depth.samples, { label }));
  }

  /** @param {any[]} queues */
  return (queues) => queues.forEach(draw);
}
