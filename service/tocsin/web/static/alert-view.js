// One alert and what became of it, live.
import { confirm } from "./confirm.js";
import { $, h, say } from "./dom.js";
import { ago, clock, count, percent } from "./format.js";
import { poll } from "./poll.js";
import { explain } from "./problem.js";
import { drawProgress } from "./progress.js";
import { levelChip, stateChip, STATES } from "./desk-words.js";

const FAST = 500;
const SLOW = 5000;

const stoppable = (state) => ["queued", "scheduled", "undo_window", "sending"].includes(state);

function head(alert, names) {
  const web = URL.canParse(alert.url) && /^https?:$/.test(new URL(alert.url).protocol);
  return [
    h("p", { class: "chips" }, levelChip(alert.level), stateChip(alert.state),
      h("time", { datetime: alert.created_at, title: clock(alert.created_at) }, ago(alert.created_at))),
    h("h1", { tabindex: "-1" }, alert.headline),
    alert.body && h("p", { class: "alert-body" }, alert.body),
    h("p", { class: "small link" }, web ? h("a", { href: alert.url, rel: "noopener noreferrer", target: "_blank" }, alert.url) : alert.url),
    h("p", { class: "small" }, names(alert.topics ?? []).join(" · ")),
  ].filter(Boolean);
}

function spoken({ state, progress = {} }) {
  const { accepted = 0, eligible = 0 } = progress;
  const name = STATES[state]?.name ?? state;
  return eligible ? `${name}: ${percent(accepted, eligible)} accepted, ${count(accepted)} of ${count(eligible)}.` : `${name}.`;
}

function askToStop({ api, id, alert, after }) {
  const { accepted = 0, eligible = 0 } = alert.progress ?? {};
  confirm({
    title: "Stop this alert?",
    body: [
      h("p", { class: "confirm-headline" }, alert.headline),
      h("p", {}, `Push services have accepted ${count(accepted)} of ${count(eligible)}; those cannot be called back. The rest will not be sent.`),
    ],
    yes: "Stop it",
    no: "Let it go on",
    danger: true,
    act: async () => {
      await api(`v1/alerts/${encodeURIComponent(id)}/stop`, { method: "POST" });
      after();
    },
  });
}

/**
 * @param {HTMLElement} section
 * @param {{api: Function, id: string, warnings: {code: string, detail: string}[], names: (ids: string[]) => string[], ended: () => void, refused: (reason: string) => void}} context
 * @returns {() => void} Ends the watching.
 */
export function alertView(section, { api, id, warnings, names, ended, refused }) {
  const parts = {
    trouble: h("p", { class: "problem warn", role: "status", hidden: true }),
    head: h("header", {}, h("p", { class: "loading" }, "One moment…")),
    // That any host may be linked to is for those who set Tocsin up: `tocsin doctor` tells them.
    warnings: h("div", {}, ...warnings.filter(({ code }) => code !== "any_link_host").map(({ code, detail }) => h("p", { class: "problem warn" }, detail ?? code))),
    stop: h("button", { class: "button", type: "button", hidden: true }, "Stop sending…"),
    progress: h("div", { class: "progress" }),
  };
  section.replaceChildren(...Object.values(parts));
  let [alert, looks, announced, watching] = [null, "", 0, true];
  let endPoll = () => {};

  function draw() {
    const { progress, ...rest } = alert;
    const now = JSON.stringify([rest, ago(alert.created_at)]);
    if (now !== looks) {
      const focused = parts.head.contains(document.activeElement);
      const first = looks === "";
      parts.head.replaceChildren(...head(alert, names));
      if (focused || first) $("h1", parts.head).focus();
      looks = now;
    }
    if (!stoppable(alert.state) && document.activeElement === parts.stop) $("h1", parts.head).focus();
    parts.stop.hidden = !stoppable(alert.state);
    drawProgress(parts.progress, alert);
    // Heard now and then, not twice a second.
    if (STATES[alert.state]?.ended || Date.now() - announced > 5000) {
      say($("#announce"), spoken(alert));
      announced = Date.now();
    }
  }

  async function look() {
    const answer = await api(`v1/alerts/${encodeURIComponent(id)}`);
    if (!watching) return null;
    const before = alert?.state;
    alert = answer;
    parts.trouble.hidden = true;
    draw();
    const { ended: over, moving } = STATES[alert.state] ?? { ended: false, moving: false };
    if (over && before !== alert.state) ended();
    // A stopped alert has its state at once, and its account only when every shard has been looked at.
    if (over && alert.ended_at) return null;
    return over || moving ? FAST : SLOW;
  }

  function failed(error) {
    if (!watching) return false;
    if (error.status === 401) {
      refused(explain(error));
      return false;
    }
    parts.trouble.hidden = false;
    say(parts.trouble, `${explain(error)} ${alert ? "The figures below are from before. Asking again…" : ""}`.trim());
    if (!alert) parts.head.replaceChildren();
    return error.isNetwork || error.status >= 429;
  }

  function watch() {
    endPoll();
    endPoll = poll(look, { failed });
  }

  parts.stop.addEventListener("click", () => askToStop({ api, id, alert, after: watch }));
  watch();
  return () => {
    watching = false;
    endPoll();
  };
}
