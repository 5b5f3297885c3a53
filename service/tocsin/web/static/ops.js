// The operators' page: asks every second while it is looked at, and says so when it gets no answer.
import { $, say } from "./dom.js";
import { clock, count, seconds } from "./format.js";
import { keyring, refuses } from "./keyring.js";
import { pushServicePanels } from "./ops-push.js";
import { prekeyCard } from "./ops-prekeys.js";
import { queueCards } from "./ops-queues.js";
import { explain, request } from "./problem.js";

const EVERY = 1000;
const STALE = 3500;
const TIMEOUT = 5000;
// A whole quarantine, brought back or deleted one after another.
const ACT_TIMEOUT = 120000;

const base = new URL("..", import.meta.url);
const drawQueues = queueCards($("#queues"), act);
const drawPrekeys = prekeyCard($("#prekeys"));
const drawPush = pushServicePanels($("#push"), act);
let token = null;
let timer = 0;
let lastAnswer = 0;
let askingForStock = false;

const ask = (path, key) => request(new URL(path, base), { token: key, timeout: TIMEOUT });

/** What an operator does: the figures show it at once. @param {string} path @param {string} done */
async function act(path, done) {
  await request(new URL(path, base), { method: "POST", token, timeout: ACT_TIMEOUT });
  say($("#announce"), done);
  schedule(0);
}

async function figures(key) {
  return Promise.all([ask("v1/ops/queues", key), ask("v1/ops/push-services", key)]);
}

// By itself: prekeys have a server of their own, and while that hangs the queues are watched all the same.
async function drawStock(key) {
  if (askingForStock) return;
  askingForStock = true;
  const stock = await ask("v1/ops/prekeys", key).catch(() => null);
  askingForStock = false;
  if (token === key) drawPrekeys(stock);
}

function drawFigures([queues, push]) {
  const lost = queues.unaccounted;
  const box = $("#unaccounted");
  box.classList.toggle("good", lost === 0);
  box.classList.toggle("bad", lost !== 0);
  say($("#unaccounted-count"), count(lost));
  say($("#unaccounted-text"), lost === 0
    ? "Every push is accepted, ended or still waiting. None is lost."
    : "Pushes that are neither finished nor waiting. This should never be.");
  drawQueues(queues.queues);
  drawPush(push.push_services);
  $("#push-empty").hidden = push.push_services.length > 0;
  lastAnswer = Date.now();
  say($("#asked"), `Last answer ${clock(lastAnswer)}.`);
}

async function drawHealth() {
  const inWords = (checks) => Object.entries(checks ?? {}).map(([name, found]) => `${name}: ${found}`).join(" · ");
  let [ready, text] = [true, ""];
  try {
    text = inWords((await request(new URL("readyz", base), { timeout: TIMEOUT }))?.checks);
  } catch (error) {
    [ready, text] = [false, inWords(error.body?.checks) || explain(error)];
  }
  const state = $("#health");
  say(state, ready ? "Ready" : "Not ready");
  state.className = `health-state ${ready ? "good" : "bad"}`;
  say($("#health-text"), text);
}

function drawStale(error) {
  const age = Date.now() - lastAnswer;
  const stale = Boolean(error) && age > STALE;
  $("#stale").hidden = !stale;
  $("#figures").classList.toggle("stale", stale);
  if (!stale) return;
  // The words change every ten seconds only: they are read aloud.
  say($("#stale"), `No answer since ${clock(lastAnswer)}, for ${age < 10000 ? "a few seconds" : `over ${seconds(Math.floor(age / 10000) * 10)}`}. ` +
    `The figures below are from then. ${explain(error)}`);
}

async function turn() {
  const key = token;
  drawStock(key);
  const [answer] = await Promise.all([figures(key).catch((error) => error), drawHealth()]);
  if (token !== key || !key) return;
  if (refuses(answer)) return keys.close(`This key is no longer accepted. ${explain(answer)}`);
  const failed = answer instanceof Error;
  if (!failed) drawFigures(answer);
  drawStale(failed ? answer : null);
  schedule();
}

function schedule(wait = EVERY) {
  clearTimeout(timer);
  if (token && !document.hidden) timer = setTimeout(turn, wait);
}

async function enter(key) {
  drawFigures(await figures(key));
  token = key;
  drawStale(null);
  schedule(0);
}

function leave() {
  token = null;
  clearTimeout(timer);
}

document.addEventListener("visibilitychange", () => schedule(0));
const keys = keyring({ enter, leave });
