// The stock of prekeys: how much is ready before the news, how fast it is made, and how often it was there when needed.
import { $, h, say } from "./dom.js";
import { count, percent } from "./format.js";

const TEXT = {
  off: "Turned off (PREKEYS=0): every message is encrypted when it is sent.",
  away: "The server that keeps them does not answer. Alerts go out all the same, each message encrypted when it is sent.",
  full: "Every message of the next alert has its key already.",
  filling: "Made while nothing is sent. What has none is encrypted when it is sent.",
};

function explain({ per_subscription: layers, stock, wanted, fault }) {
  if (!layers) return TEXT.off;
  if (stock == null) return TEXT.away;
  if (fault) return `The server that keeps them ${fault}.`;
  return stock >= wanted ? TEXT.full : TEXT.filling;
}

/** @param {HTMLElement} element */
export function prekeyCard(element) {
  const fact = (label, key) => h("div", {}, h("dt", {}, label), h("dd", { "data-fact": key }));
  element.append(h("article", { class: "card" },
    h("p", { class: "depth" }, h("b", { "data-fact": "stock" }), h("span", { "data-fact": "wanted" }), h("span", { class: "peak", "data-fact": "share" })),
    h("meter", { "data-fact": "meter", min: "0", "aria-label": "Message keys that are ready" }),
    h("p", { class: "small", "data-fact": "text" }),
    h("dl", {}, fact("Made a second", "rate"), fact("Messages that had one", "hits"), fact("Made so far", "made"))));
  const find = (key) => $(`[data-fact=${key}]`, element);

  /** @param {any} prekeys null where nobody answered: the figures stay, and it says so */
  return (prekeys) => {
    if (!prekeys) {
      say(find("text"), TEXT.away);
      $(".card", element).classList.add("warn");
      return;
    }
    const { per_subscription: layers, stock, wanted, made_per_second: rate, made, used, missed, fault } = prekeys;
    say(find("stock"), stock == null ? "–" : count(stock));
    say(find("wanted"), `of ${count(wanted)} message keys ready`);
    say(find("share"), percent(Math.min(stock ?? 0, wanted), wanted));
    const meter = find("meter");
    [meter.max, meter.value] = [Math.max(wanted, 1), Math.min(stock ?? 0, wanted)];
    say(find("text"), explain(prekeys));
    say(find("rate"), count(Math.round(rate)));
    say(find("hits"), used + missed ? `${percent(used, used + missed)} of ${count(used + missed)}` : "none sent yet");
    say(find("made"), count(made));
    $(".card", element).classList.toggle("warn", Boolean(layers && (fault || stock == null)));
  };
}
