// The words of the readers' pages: the very file that the server wrote the page with, in the page's language.
import { request } from "./request.js";

const language = document.documentElement.lang;
// The form of the reader's own country, as the SDK's elements have it: 22:00 or 10 pm.
const locale = navigator.languages.find((each) => each.split("-")[0] === language) ?? language;
const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
const asked = request(new URL(`page-words-${language}.json`, import.meta.url));
// Whoever calls t() waits for the words, and hears of the failure then.
asked.catch(() => null);

/**
 * @typedef {(key: string, values?: Record<string, string|number>) => string} Say
 * @returns {Promise<{t: Say, language: string}>} Rejects when the words cannot be had.
 */
export async function pageWords() {
  const words = await asked;
  const t = (key, values = {}) => words[key].replace(/\{(\w+)\}/g, (gap, name) => values[name] ?? gap);
  return { t, language };
}

/** What went wrong, as a reader can use it. @param {Say} t @param {unknown} error */
export function told(t, error) {
  // Not by its class: the SDK is one file, which brings a class of its own.
  if (error?.name !== "ProblemError") return t("problem.other");
  if (error.isNetwork) return t(navigator.onLine ? "problem.network" : "problem.offline");
  if (error.status === 429) return t("problem.too_many", { when: soon(error.retryAfter ?? 60) });
  if (error.status === 410) return t("problem.ended");
  if (error.status === 401 || error.status === 404) return t("problem.unknown");
  return t(error.status >= 500 ? "problem.server" : "problem.other");
}

// Nobody counts 600 seconds.
const soon = (seconds) => (seconds < 90 ? relative.format(seconds, "second") : relative.format(Math.ceil(seconds / 60), "minute"));

/** "12 minutes ago" within a day, else the day and time. @param {string} time */
export function since(time) {
  const passed = (Date.now() - new Date(time).getTime()) / 60_000;
  if (passed < 59.5) return relative.format(-Math.max(0, Math.round(passed)), "minute");
  if (passed < 23.5 * 60) return relative.format(-Math.round(passed / 60), "hour");
  return moment(time);
}

/** The time of day. @param {Date} time */
export const clock = (time) => new Intl.DateTimeFormat(locale, { timeStyle: "short" }).format(time);

/** A day and time, as people write it. @param {string|Date} time */
export const moment = (time) =>
  new Intl.DateTimeFormat(locale, { weekday: "short", day: "numeric", month: "short", hour: "numeric", minute: "2-digit" })
    .format(new Date(time));
