// The words of the readers' pages: the very file that the server wrote the page with, in the page's language.
import { request } from "./request.js";

const language = document.documentElement.lang;
// Days before months, and 24 hours; what an American reads as well.
const locale = language === "en" ? "en-GB" : language;
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
  if (error.isNetwork) return t("problem.network");
  if (error.status === 429) return t("problem.too_many");
  if (error.status === 401 || error.status === 404) return t("problem.unknown");
  return t(error.status >= 500 ? "problem.server" : "problem.other");
}

/** "12 minutes ago" within a day, else the day and time. @param {string} time */
export function since(time) {
  const passed = (Date.now() - new Date(time).getTime()) / 60_000;
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  if (passed < 59.5) return relative.format(-Math.max(0, Math.round(passed)), "minute");
  if (passed < 23.5 * 60) return relative.format(-Math.round(passed / 60), "hour");
  return moment(time);
}

/** A day and time, as people write it. @param {string|Date} time */
export const moment = (time) =>
  new Intl.DateTimeFormat(locale, { weekday: "short", day: "numeric", month: "short", hour: "numeric", minute: "2-digit" })
    .format(new Date(time));
