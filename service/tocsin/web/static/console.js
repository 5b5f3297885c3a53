// The editors' console: compose, confirm, watch.
import { alertView } from "./alert-view.js";
import { compose } from "./compose.js";
import { $, say } from "./dom.js";
import { keyring } from "./keyring.js";
import { request } from "./problem.js";
import { recentAlerts } from "./recent.js";
import { sendAlert } from "./send.js";

const base = new URL("..", import.meta.url);
let api = null;
let topicNames = new Map();
// Warnings come with the answer to a new alert alone, not with each look at it.
const warned = new Map();
let stopWatching = () => {};

const composer = compose($("#compose"), {
  review: (alert) => sendAlert(api, alert, { names, sent, refused: composer.refuse, done: composer.clear }),
});
const recent = recentAlerts();

function names(topics) {
  return topics.map((id) => topicNames.get(id) ?? id);
}

function sent({ id, warnings = [] }) {
  warned.set(id, warnings);
  location.hash = `alert/${encodeURIComponent(id)}`;
  recent.refresh();
}

function route() {
  if (!api) return;
  stopWatching();
  const id = /^#alert\/(.+)$/.exec(location.hash)?.[1];
  $("#compose").hidden = Boolean(id);
  $("#preview").hidden = Boolean(id);
  $("#alert").hidden = !id;
  $("#new-alert").hidden = !id;
  recent.mark(id ? decodeURIComponent(id) : null);
  if (id) {
    const known = decodeURIComponent(id);
    const warnings = warned.get(known) ?? [];
    stopWatching = alertView($("#alert"), { api, id: known, warnings, names, ended: recent.refresh, refused: keys.close });
  }
  scrollTo({ top: 0 });
}

async function enter(key) {
  const asking = (path, options = {}) => request(new URL(path, base), { token: key, ...options });
  const [site] = await Promise.all([request(new URL("v1/site", base)), recent.start(asking)]);
  api = asking;
  topicNames = new Map(site.topics.map((topic) => [topic.id, topic.name]));
  composer.topics(site.topics);
  route();
}

function leave() {
  stopWatching();
  recent.end();
  api = null;
  say($("#announce"), "");
  $("#new-alert").hidden = true;
}

const keys = keyring({ enter, leave });
addEventListener("hashchange", () => {
  route();
  if (api) $("#compose").hidden ? $("#alert h1")?.focus() : $("#compose h1").focus();
});
