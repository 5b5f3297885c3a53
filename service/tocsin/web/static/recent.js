// The list of recent alerts beside the form.
import { stackedBar } from "./chart.js";
import { $, h, say } from "./dom.js";
import { ago, count } from "./format.js";
import { poll } from "./poll.js";
import { explain } from "./problem.js";
import { levelChip, stateChip } from "./desk-words.js";

const EVERY = 5000;

function item({ id, state, headline, level, created_at: created, progress }, chosen) {
  const { accepted = 0, eligible = 0 } = progress ?? {};
  const figures = eligible ? `${count(accepted)} of ${count(eligible)} accepted` : "";
  return h("li", {},
    h("a", { href: `#alert/${encodeURIComponent(id)}`, "aria-current": id === chosen ? "true" : null },
      h("span", { class: "chips" }, levelChip(level), stateChip(state), h("time", { datetime: created }, ago(created))),
      h("span", { class: "recent-headline" }, headline),
      eligible > 0 && stackedBar([{ kind: "accepted", value: accepted }], { label: figures, total: eligible }),
      figures && h("span", { class: "small" }, figures)));
}

/** The list in `#recent`, kept up to date between `start` and `end`. */
export function recentAlerts() {
  const list = $("#recent");
  const older = $("#older");
  let [first, more, next, chosen, drawn] = [[], [], null, null, ""];
  let stop = () => {};
  let ask = null;

  // Drawn anew only when it differs, and with the focus where it was: this list must not run away from a keyboard.
  function draw() {
    const alerts = [...first, ...more.filter(({ id }) => !first.some((alert) => alert.id === id))];
    const looks = JSON.stringify([alerts, chosen, alerts.map((alert) => ago(alert.created_at))]);
    if (looks === drawn) return;
    drawn = looks;
    const focused = list.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    list.replaceChildren(...alerts.map((alert) => item(alert, chosen)));
    if (focused) list.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
    $("#recent-empty").hidden = alerts.length > 0;
    older.hidden = !next;
  }

  async function refresh() {
    const answer = await ask("v1/alerts");
    if (!more.length) next = answer.next;
    first = answer.alerts;
    $("#recent-problem").hidden = true;
    draw();
  }

  function failed(error) {
    say($("#recent-problem"), explain(error));
    $("#recent-problem").hidden = false;
  }

  older.addEventListener("click", async () => {
    try {
      const answer = await ask(`v1/alerts?cursor=${encodeURIComponent(next)}`);
      more = [...more, ...answer.alerts];
      next = answer.next;
      draw();
    } catch (error) {
      failed(error);
    }
  });

  return {
    /** Rejects when the key is refused. @param {(path: string) => Promise<any>} asking */
    async start(asking) {
      stop();
      ask = asking;
      await refresh();
      let asked = true;
      stop = poll(async () => {
        if (!asked && !document.hidden) await refresh();
        asked = false;
        return EVERY;
      }, { failed });
    },
    end() {
      stop();
      [first, more, next, drawn] = [[], [], null, ""];
      list.replaceChildren();
    },
    refresh: () => refresh().catch(failed),
    /** @param {string|null} id */
    mark(id) {
      chosen = id;
      draw();
    },
  };
}
