// The way to subscribe on the service's own pages.
import { h } from "./dom.js";

/**
 * Where a newsroom has its readers on a page of its own site, it is there that they subscribe: here they would a second
 * time, and get everything twice. Whoever did it here may go on here.
 * @param {HTMLElement} box  says in `data-elsewhere` where that page is
 * @param {import("../tocsin.js").Tocsin} tocsin @param {import("./page-words.js").Say} t
 */
export function subscribing(box, tocsin, t, attributes = {}) {
  const { elsewhere } = box.dataset;
  if (!elsewhere || tocsin.isKnown) return h("tocsin-subscribe", { ...attributes, tocsin });
  return h("a", { class: "button primary large", href: elsewhere }, t("subscribe.elsewhere", { host: new URL(elsewhere).host }));
}
