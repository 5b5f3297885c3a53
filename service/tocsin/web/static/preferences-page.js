// The page at "/preferences": the reader's choices, and what is held on this browser.
import { Tocsin } from "../tocsin.js";
import { $, $$, busy, h, say } from "./dom.js";
import { pageWords, told } from "./page-words.js";
import { subscribing } from "./subscribing.js";

const STORY = /^[a-z0-9][a-z0-9-]{0,59}$/;
const { searchParams } = new URL(location.href);

let shown = "";

function showView(view) {
  for (const element of $$("[data-view]")) element.hidden = element.dataset.view !== view;
}

/** An element of the SDK in its place, made once. */
function place(tocsin, selector, tag, attributes = {}) {
  if ($(selector).firstElementChild) return;
  $(selector).append(h(tag, { ...attributes, tocsin }));
}

// The address may come from anywhere, so only what can be a story's id is shown as one.
function showStory(tocsin, t) {
  const story = searchParams.get("story") ?? "";
  if (!STORY.test(story)) return;
  const name = story.replaceAll("-", " ");
  say($("#story-heading"), t("prefs.story", { story: name }));
  $("#story").hidden = false;
  place(tocsin, "#story-control", "tocsin-follow", { story, name });
}

function showState(tocsin, t) {
  // Those who blocked alerts may want to see and erase it; what the element says of that stays.
  if (tocsin.isKnown) {
    $("#data").hidden = false;
    place(tocsin, "#held", "tocsin-data");
  }
  const view = tocsin.state === "subscribed" ? "on" : "off";
  if (view === shown) return;
  shown = view;
  const box = $("#subscribe");
  const hadFocus = box.contains(document.activeElement);
  showView(view);
  if (view === "off") return box.firstElementChild ?? box.append(subscribing(box, tocsin, t));
  $("#ended").hidden = true;
  place(tocsin, "#preferences", "tocsin-preferences");
  showStory(tocsin, t);
  // The button of the panel has made way; while the panel is open, nothing outside it takes the focus.
  if (hadFocus) requestAnimationFrame(() => $("#choices-heading").focus());
}

function ended(heading, text) {
  say($("#ended-heading"), heading);
  say($("#ended-text"), text);
  $("#ended").hidden = false;
  $("#ended").focus();
  scrollTo({ top: 0 });
}

/** A button whose deed is told beside it. @param {(say: (text: string) => void) => Promise<unknown>} work */
function deed(name, t, work) {
  const status = $(`#${name}-status`);
  $(`#${name}`).addEventListener("click", () => busy($(`#${name}`), async () => {
    status.classList.remove("bad");
    try {
      await work((text) => say(status, text));
    } catch (error) {
      status.classList.add("bad");
      say(status, error.code === "push_failed" ? t("test.not_accepted") : told(t, error));
    }
  }));
}

function deeds(tocsin, t) {
  deed("test", t, async (tell) => {
    tell(t("test.sending"));
    await tocsin.test();
    tell(t("test.sent"));
  });
  deed("end", t, async () => {
    await tocsin.unsubscribe();
    ended(t("off.heading"), t("off.text"));
  });
}

async function connect(t) {
  showView("loading");
  try {
    const tocsin = await Tocsin.connect();
    deeds(tocsin, t);
    tocsin.addEventListener("change", () => showState(tocsin, t));
    showState(tocsin, t);
  } catch (error) {
    say($("#failed-text"), told(t, error));
    showView("failed");
  }
}

function connectAgain(t) {
  return busy($("#again"), async () => {
    await connect(t);
    // The button was away meanwhile, and its focus with it.
    $(shown ? "#main" : "#again").focus();
  });
}

async function start() {
  const words = await pageWords().catch(() => null);
  // What the page says then is on it from the server.
  $("#again").addEventListener("click", () => (words ? connectAgain(words.t) : location.reload()));
  if (words) await connect(words.t);
  else showView("failed");
}

start();
