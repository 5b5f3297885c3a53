// What the service's codes are called on our pages. "Accepted" is the push service's word; nobody knows of delivery.
import { h } from "./dom.js";

/** @type {Record<string, {name: string, reach: string}>} */
export const LEVELS = {
  flash: { name: "Flash", reach: "everyone who follows these topics" },
  breaking: { name: "Breaking", reach: "all but those who want only the biggest news" },
  update: { name: "Update", reach: "those who want all updates" },
};

/** @type {Record<string, {name: string, ended: boolean, moving: boolean}>} */
export const STATES = {
  queued: { name: "Queued", ended: false, moving: true },
  draft: { name: "Draft", ended: false, moving: false },
  awaiting_approval: { name: "Awaits approval", ended: false, moving: false },
  scheduled: { name: "Scheduled", ended: false, moving: false },
  undo_window: { name: "Queued", ended: false, moving: true },
  sending: { name: "Sending", ended: false, moving: true },
  sent: { name: "Sent", ended: true, moving: false },
  rejected: { name: "Not approved", ended: true, moving: false },
  stopped: { name: "Stopped", ended: true, moving: false },
  expired: { name: "Expired", ended: true, moving: false },
};

/** In the order in which a bar shows them. */
export const OUTCOMES = {
  accepted: "accepted by the push service",
  deferred: "wait for a reader’s quiet hours to end",
  retrying: "being tried again",
  pending: "not tried yet",
  gone: "gone: the browser ended its subscription",
  rejected: "refused by the push service",
  expired: "not accepted in time",
  stopped: "stopped before they were accepted",
  opted_out: "unsubscribed meanwhile",
  set_aside: "set aside for operations to look at",
  unaccounted: "unaccounted for",
};

/** Why a reader was not among the eligible. */
export const SKIPPED = {
  audience: "follow none of the topics",
  language: "read another language",
  muted_story: "muted the story",
  snoozed: "paused their alerts",
  level: "want only bigger news",
  quiet_hours: "are in their quiet hours",
  daily_cap: "had their alerts of the day",
};

/** @param {string} level */
export const levelChip = (level) => h("span", { class: `chip level-${level}` }, LEVELS[level]?.name ?? level);

/** @param {string} state */
export const stateChip = (state) => h("span", { class: `chip state-${state}` }, STATES[state]?.name ?? state);
