// The reader's page: one view for each state, and nothing asked before a click.
import { Tocsin } from "../tocsin.js";
import { autosave } from "./autosave.js";
import { choices, patchOf } from "./choices.js";
import { $, $$, busy, say } from "./dom.js";
import { explain } from "./problem.js";

const VIEWS = {
  subscribed: "on",
  unsubscribed: "offer",
  denied: "denied",
  "needs-home-screen": "home-screen",
  unsupported: "unsupported",
};

const panel = $("#panel");
let tocsin;
let form;
let panelOpen = false;

function showView(view) {
  for (const element of $$("[data-view]")) element.hidden = element.dataset.view !== view;
}

function showProblem(error) {
  $("#problem").hidden = !error;
  say($("#problem"), error ? explain(error) : "");
}

function showState() {
  const view = VIEWS[tocsin.state];
  const on = view === "on";
  showView(view);
  document.body.classList.toggle("subscribed", on);
  panel.hidden = !(on || (view === "offer" && panelOpen));
  $("#subscribe-actions").hidden = on;
  $("#saved").hidden = !on;
  $("#open-panel").parentElement.hidden = view !== "offer" || panelOpen;
  $("#open-panel").setAttribute("aria-expanded", String(panelOpen));
  say($("#panel-heading"), on ? "Your choices" : "What should we send you?");
}

function focusView() {
  $(`[data-view="${VIEWS[tocsin.state]}"] :is(h2, button)`).focus();
}

function showTopicsError() {
  const none = form.read().topics.length === 0;
  const on = tocsin.state === "subscribed";
  const text = on ? "No topic is chosen: you will get no alerts." : "Choose at least one topic.";
  say($("#topics-error"), none ? text : "");
  return none;
}

function savebar(kind, text) {
  const bar = $("#saved");
  bar.className = `savebar ${kind}`;
  say(bar, text);
}

const save = autosave({
  save: async (wanted) => {
    const patch = patchOf(tocsin.preferences, wanted);
    if (patch) await tocsin.update(patch);
  },
  saving: () => savebar("", "Saving…"),
  saved: () => savebar("done", "✓ Saved"),
  failed: (error) => {
    form.fill(tocsin.preferences);
    showTopicsError();
    savebar("failed", `Not saved; your choices are as before. ${explain(error)}`);
  },
});

function openPanel() {
  panelOpen = true;
  showState();
  $("#panel-heading").focus();
}

async function subscribe() {
  showProblem(null);
  if (showTopicsError()) return $("#topics input")?.focus();
  return busy($("#subscribe"), async () => {
    try {
      const state = await tocsin.subscribe(form.read());
      if (state === "unsubscribed") throw new Error("Your browser did not give permission, so nothing was switched on.");
      panelOpen = false;
      savebar("", "");
      showState();
      say($("#off"), "");
      focusView();
      scrollTo({ top: 0 });
    } catch (error) {
      showProblem(error);
    }
  });
}

async function unsubscribe() {
  showProblem(null);
  await busy($("#unsubscribe"), async () => {
    try {
      const last = form.read();
      await tocsin.unsubscribe();
      form.fill(last);
      panelOpen = false;
      showState();
      say($("#off"), "Alerts are off for this browser. Nothing more will come.");
      focusView();
    } catch (error) {
      showProblem(error);
    }
  });
}

async function sendTest() {
  showProblem(null);
  const status = $("#manage-status");
  say(status, "Sending…");
  await busy($("#test"), async () => {
    try {
      await tocsin.test();
      say(status, "A test is on its way. It should show in a few seconds; if not, look at this device’s own notification settings.");
    } catch (error) {
      say(status, "");
      showProblem(error);
    }
  });
}

async function start() {
  showView("loading");
  try {
    tocsin = await Tocsin.connect();
  } catch (error) {
    say($("#failed-text"), explain(error));
    showView("failed");
    return;
  }
  form = choices(panel, tocsin.site.topics);
  form.fill(tocsin.preferences);
  tocsin.addEventListener("change", () => showState());
  showState();
  showProblem(tocsin.problem);
}

$("#open-panel").addEventListener("click", openPanel);
$("#test").addEventListener("click", sendTest);
$("#unsubscribe").addEventListener("click", unsubscribe);
$("#again").addEventListener("click", start);
panel.addEventListener("submit", (event) => {
  event.preventDefault();
  if (tocsin.state !== "subscribed") subscribe();
});
panel.addEventListener("change", () => {
  const none = form.read().topics.length === 0;
  if (tocsin.state === "subscribed") {
    showTopicsError();
    save(form.read());
  } else if (!none) {
    showTopicsError();
  }
});

start();
