// Erasing all, after it was said what that means.
import { $, busy, say } from "./dom.js";
import { moment, told } from "./page-words.js";
import { request } from "./request.js";
import { recordOf } from "./record.js";

const HOURS = 24;

// unsubscribe() counts the reader's word and may not reach the service; here it is the service that must have heard.
async function erase(tocsin) {
  const kept = recordOf(tocsin.base);
  const record = await kept.read();
  if (record?.id) {
    const url = new URL(`v1/subscriptions/${encodeURIComponent(record.id)}`, tocsin.base);
    await request(url, { method: "DELETE", token: record.token }).catch((error) => {
      if (error.status !== 404) throw error; // gone already
    });
  }
  await kept.write(null);
  await tocsin.unsubscribe();
  await caches.delete("tocsin");
}

/**
 * @param {import("../tocsin.js").Tocsin} tocsin @param {import("./page-words.js").Say} t
 * @param {(now: string, then: string) => void} done
 */
export function eraseByHand(tocsin, t, done) {
  const dialog = $("#erase-sure");
  const problem = $("#erase-problem");
  $("#erase").addEventListener("click", () => {
    problem.hidden = true;
    dialog.showModal();
  });
  $("#erase-no").addEventListener("click", () => dialog.close());
  $("#erase-yes").addEventListener("click", () => busy($("#erase-yes"), async () => {
    try {
      await erase(tocsin);
    } catch (error) {
      say(problem, `${t("erase.failed")} ${told(t, error)}`);
      problem.hidden = false;
      return;
    }
    dialog.close();
    const now = Date.now();
    done(moment(new Date(now)), moment(new Date(now + HOURS * 3_600_000)));
  }));
}
