// An alert's figures: the whole, the parts, and each push service.
import { stackedBar } from "./chart.js";
import { h } from "./dom.js";
import { clock, count, percent, pushServiceName, seconds, words } from "./format.js";
import { OUTCOMES, SKIPPED } from "./desk-words.js";

const parts = (counts) => Object.keys(OUTCOMES).map((kind) => ({ kind, value: counts?.[kind] ?? 0 }));

function inWords(counts) {
  const present = parts(counts).filter(({ value }) => value > 0);
  return present.map(({ kind, value }) => `${count(value)} ${words(kind)}`).join(", ") || "nothing yet";
}

function whole({ accepted = 0, eligible = 0 }) {
  return h("p", { class: "whole" },
    h("span", { class: "whole-number" }, count(accepted)),
    h("span", { class: "whole-of" }, ` of ${count(eligible)} accepted by push services`),
    h("span", { class: "whole-share" }, percent(accepted, eligible)));
}

function legend(progress) {
  const rows = parts(progress).filter(({ value }) => value > 0);
  return h("ul", { class: "legend" }, ...rows.map(({ kind, value }) =>
    h("li", {}, h("span", { class: `swatch part-${kind}` }), h("b", {}, count(value)), h("span", {}, OUTCOMES[kind]))));
}

function times(progress) {
  const fact = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
  return h("dl", { class: "figures" },
    fact("First accepted", clock(progress.first_at)),
    fact("Half of these within", seconds(progress.p50_seconds)),
    fact("90 % of these within", seconds(progress.p90_seconds)));
}

function services(byService) {
  const entries = Object.entries(byService ?? {});
  if (!entries.length) return null;
  return h("section", {}, h("h2", {}, "By push service"),
    h("table", {},
      h("thead", {}, h("tr", {}, 
        h("th", { scope: "col" }, "Push service"), h("td", { class: "bar-cell" }),
        h("th", { scope: "col", class: "number" }, "Accepted"), h("th", { scope: "col", class: "number" }, "Eligible"))),
      h("tbody", {}, ...entries.map(([name, counts]) => {
        const eligible = counts.eligible ?? parts(counts).reduce((sum, { value }) => sum + value, 0);
        return h("tr", {},
          h("th", { scope: "row" }, pushServiceName(name)),
          h("td", { class: "bar-cell" }, stackedBar(parts(counts), { label: inWords(counts), total: eligible })),
          h("td", { class: "number" }, count(counts.accepted)),
          h("td", { class: "number" }, count(eligible)));
      }))));
}

function skipped(reasons) {
  const rows = Object.entries(reasons ?? {}).filter(([, value]) => value > 0).sort((a, b) => b[1] - a[1]);
  if (!rows.length) return null;
  return h("section", {}, h("h2", {}, "Not sent, as readers chose"),
    h("ul", { class: "legend" }, ...rows.map(([reason, value]) => h("li", {}, h("b", {}, count(value)), h("span", {}, SKIPPED[reason] ?? words(reason))))));
}

/** What browsers told. It is no part of the account: most cannot tell, some may not, and a busy service asks nobody twice. */
function told(receipts) {
  const events = ["shown", "clicked", "closed"].filter((event) => receipts?.[event]);
  if (!events.length) return null;
  return h("section", {}, h("h2", {}, "By the browsers that tell us"),
    h("ul", { class: "legend" }, ...events.map((event) => h("li", {}, h("b", {}, count(receipts[event])), h("span", {}, event)))));
}

/** @param {HTMLElement} element @param {{state: string, progress?: any}} alert */
export function drawProgress(element, { state, progress }) {
  if (!progress || (!progress.eligible && ["queued", "undo_window", "scheduled", "draft", "awaiting_approval"].includes(state))) {
    element.replaceChildren(h("p", { class: "small" }, "No figures yet: the readers are counted when sending begins."));
    return;
  }
  if (!progress.eligible && state === "sent") {
    const note = h("p", { class: "empty" }, "No reader was to get this alert.");
    element.replaceChildren(...[note, skipped(progress.skipped)].filter(Boolean));
    return;
  }
  const bar = stackedBar(parts(progress), { label: inWords(progress), total: progress.eligible });
  bar.classList.add("big");
  element.replaceChildren(...[
    whole(progress), bar, legend(progress), times(progress), services(progress.by_push_service), skipped(progress.skipped),
    told(progress.receipts),
    h("p", { class: "small footnote" }, "Accepted means that a push service took the alert for a reader’s browser. What happens after that, no sender can see."),
  ].filter(Boolean));
}
