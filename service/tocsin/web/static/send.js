// Sends an alert once, however often its request has to be made.
import { confirm } from "./confirm.js";
import { $, h, say } from "./dom.js";
import { explain } from "./problem.js";
import { LEVELS, levelChip } from "./desk-words.js";

const KEYS = "tocsin.idempotency";

// The key belongs to these exact words, also over a reload: the same alert again is the same request again.
function idempotencyKey(content) {
  const kept = JSON.parse(sessionStorage.getItem(KEYS) ?? "null");
  if (kept?.content === content) return kept.key;
  const key = crypto.randomUUID();
  sessionStorage.setItem(KEYS, JSON.stringify({ content, key }));
  return key;
}

function summary(alert, names) {
  return [
    h("div", { class: "confirm-alert" },
      levelChip(alert.level),
      h("p", { class: "confirm-headline" }, alert.headline),
      alert.body && h("p", {}, alert.body),
      h("p", { class: "small link" }, alert.url)),
    h("dl", { class: "facts" },
      h("dt", {}, alert.topics.length === 1 ? "Topic" : "Topics"), h("dd", {}, names(alert.topics).join(", ")),
      h("dt", {}, "Level"), h("dd", {}, `${LEVELS[alert.level].name}: ${LEVELS[alert.level].reach}`)),
  ];
}

/**
 * @param {(path: string, options?: object) => Promise<any>} api
 * @param {import("./compose.js").Alert} alert
 * @param {{names: (ids: string[]) => string[], sent: (alert: any) => void, refused: (error: any) => void, done: () => void}} hooks
 */
export function sendAlert(api, alert, { names, sent, refused, done }) {
  const content = JSON.stringify(alert);
  confirm({
    title: "Send this alert?",
    body: summary(alert, names),
    yes: "Send now",
    danger: alert.level === "flash",
    async act() {
      const headers = { "Idempotency-Key": idempotencyKey(content) };
      const queued = await api("v1/alerts", { method: "POST", body: alert, headers });
      sessionStorage.removeItem(KEYS);
      say($("#announce"), "The alert is queued.");
      done();
      sent(queued);
    },
    failed(error) {
      if (error.status === 422) {
        refused(error);
        return { close: true };
      }
      if (!error.isNetwork) return { text: explain(error) };
      return {
        yes: "Try again",
        text: `${explain(error)} Nobody knows yet whether the alert was queued. Trying again is safe: it is sent once. ` +
          "Before you go back and change it, look at the recent alerts.",
      };
    },
  });
}
