// The words of a language, and how it writes numbers and times. Texts that a site gives go before ours.
import { ROOT } from "./browser.js";
import { request } from "./request.js";

const RIGHT_TO_LEFT = /^(ar|fa|he|ur)\b/;
const OURS = ["en", "ar"];
const files = new Map();

function file(url) {
  if (!files.has(url)) {
    const loading = request(url);
    loading.catch(() => files.delete(url));
    files.set(url, loading);
  }
  return files.get(url);
}

/** The language of an element: its own, the one asked for in `connect`, the page's, the site's. */
export function languageOf(element, tocsin) {
  const wanted = [element.lang, tocsin?.language, element.closest("[lang]")?.lang, tocsin?.site?.language];
  const chosen = wanted.find((language) => language && (language === tocsin?.language || OURS.includes(base(language))));
  return chosen || "en";
}

const base = (language) => language.toLowerCase().split("-")[0];

/**
 * @param {string} language  BCP 47; English words where we have none, so that a site may give its own
 * @param {{base?: URL, texts?: Record<string, string>}} [tocsin]
 */
export async function words(language, { base: service = ROOT, texts } = {}) {
  const ours = OURS.includes(base(language)) ? base(language) : "en";
  const all = { ...(await file(new URL(`assets/words-${ours}.json`, service).href)), ...texts };
  const plural = new Intl.PluralRules(language);
  const number = new Intl.NumberFormat(language);

  const t = (key, values = {}) => (all[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  const n = (key, count, values = {}) => {
    const form = `${key}.${plural.select(count)}`;
    return t(form in all ? form : `${key}.other`, { ...values, n: number.format(count) });
  };
  const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  /** "now", "in 40 seconds", "tomorrow" */
  const soon = (count, unit = "second") => relative.format(count, unit);
  // Of one language, the form of the reader's own country: 22:00 or 10 pm.
  const local = navigator.languages.find((each) => base(each) === base(language)) ?? language;
  const time = (moment, options) => new Intl.DateTimeFormat(local, options).format(moment);

  /** "about 3 a day"; nothing where nobody knows yet. @param {number|null|undefined} perDay */
  const often = (perDay) => {
    if (perDay == null) return "";
    const [unit, days] = [["day", 1], ["week", 7], ["month", 30]].find(([, each]) => perDay * each >= 0.75) ?? [];
    return unit ? t(`often.${unit}`, { n: number.format(Math.max(1, Math.round(perDay * days))) }) : t("often.rare");
  };

  return { language, dir: RIGHT_TO_LEFT.test(language) ? "rtl" : "ltr", t, n, time, soon, often, number: number.format };
}
