// Erasing all, after it was said what that means.
import { $, busy, say } from "./dom.js";
import { moment, told } from "./page-words.js";

const HOURS = 24;

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
      await tocsin.erase();
    } catch (error) {
      // Where no answer came, nobody knows.
      say(problem, `${error.isNetwork ? "" : t("erase.failed")} ${told(t, error)}`.trim());
      problem.hidden = false;
      return;
    }
    dialog.close();
    const now = Date.now();
    done(moment(new Date(now)), moment(new Date(now + HOURS * 3_600_000)));
  }));
}
