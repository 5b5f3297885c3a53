// The page at "/": what an alert is, the button, and the latest ones. Nothing is asked before a click.
import { Tocsin } from "../tocsin.js";
import { $, busy, say } from "./dom.js";
import { showLatest } from "./latest.js";
import { clock, pageWords, told } from "./page-words.js";
import { subscribing } from "./subscribing.js";

function show(state) {
  for (const name of ["loading", "subscribe", "failed"]) $(`#${name}`).hidden = name !== state;
}

async function connect(t) {
  show("loading");
  try {
    const tocsin = await Tocsin.connect();
    const box = $("#subscribe");
    box.replaceChildren(subscribing(box, tocsin, t, { preferences: new URL("preferences", tocsin.base).href }));
    show("subscribe");
  } catch (error) {
    say($("#failed-text"), told(t, error));
    show("failed");
  }
}

function connectAgain(t) {
  return busy($("#again"), async () => {
    await connect(t);
    // The button was away meanwhile, and its focus with it.
    $($("#failed").hidden ? "#main" : "#again").focus();
  });
}

async function start() {
  say($("#example-clock"), clock(new Date()));
  const words = await pageWords().catch(() => null);
  // What the page says then is on it from the server.
  $("#again").addEventListener("click", () => (words ? connectAgain(words.t) : location.reload()));
  if (!words) {
    $(".latest").hidden = true;
    return show("failed");
  }
  const { t } = words;
  await Promise.all([connect(t), showLatest($("#latest"), t)]);
}

start();
