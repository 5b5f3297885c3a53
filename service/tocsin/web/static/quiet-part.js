// Quiet hours: from when to when, what then, and what that means for tonight.
import { field, live, offer, select, tick, ticked } from "./controls.js";
import { h, say } from "./make.js";
import { quiet } from "./quiet.js";
import { altogether } from "./topics.js";

const WHOLE_DAY = 86_400_000;

const here = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

// What a browser says that does not know, or what the service said that it does not know: its table may be older.
let unknown = "Etc/Unknown";

/** The zone in which a reader's hours are meant. */
const zoneOf = (site, preferences) => preferences.quiet_hours?.time_zone ?? preferences.time_zone ?? site.time_zone ?? here();

/**
 * Hours and days are meant as this device's clock shows them, unless the reader has said where they live; the site's
 * clock counts where this device's is unknown.
 */
export async function inZone(tocsin, change) {
  const zoned = (now) => ({ ...change(now), ...(!now.time_zone && here() !== unknown && { time_zone: here() }) });
  try {
    await tocsin.update(zoned);
  } catch (error) {
    if (!error.errors?.some(({ field }) => field === "time_zone")) throw error;
    unknown = here();
    await tocsin.update(zoned);
  }
}

function preview({ t, n, time }, site, preferences, bar) {
  const hours = preferences.quiet_hours;
  if (!hours) return t("quiet.open");
  const now = Date.now();
  const timeZone = zoneOf(site, preferences);
  const { begins, ends, isNow } = quiet(hours, timeZone, now);
  const [start, end] = [begins, ends].map((moment) => time(moment, { timeStyle: "short", timeZone }));
  const span = Math.max(WHOLE_DAY, ends - now) / 100;
  bar.style.setProperty("--from", `${Math.max(0, begins - now) / span}%`);
  bar.style.setProperty("--for", `${(ends - Math.max(begins, now)) / span}%`);
  const said = t(isNow ? "quiet.now" : hours.start < "17:00" ? "quiet.later" : "quiet.tonight", { start, end });
  const rate = hours.then === "drop" ? 0 : altogether(site, preferences, hours.wake_for);
  const waiting = Math.round((rate * (ends - begins)) / WHOLE_DAY);
  return waiting ? `${said} ${n("quiet.wait", waiting, { end })}` : said;
}

/** Those to choose from: this device's, what holds, and all that the browser knows. */
const zones = (lived) => [...new Set([here(), lived, ...(Intl.supportedValuesOf?.("timeZone") ?? [])])].filter((each) => each !== unknown);

/** @param {(change: object) => void} save  gets merge patches, or what makes them @param {typeof save} saveHere  in this zone */
export function quietPart(words, site, save, saveHere) {
  const { t, soon } = words;
  let last = { start: "22:00", end: "07:00", wake_for: null, then: "defer" };
  let timer;
  let typed = {};
  const set = (patch) => saveHere((now) => ({ quiet_hours: patch && { ...(!now.quiet_hours && last), ...patch } }));

  // A clock field changes with every digit: what is saved is what stands there when the reader pauses.
  const clock = (name) => h("input", { type: "time", onchange: ({ target: { value } }) => {
    clearTimeout(timer);
    const same = start.value === end.value;
    say(wrong, same ? t("quiet.same") : "");
    typed[name] = value;
    if (value && !same) timer = setTimeout(() => {
      set(typed);
      typed = {};
    }, 400);
  } });
  const [start, end] = ["start", "end"].map(clock);
  const wrong = live("problem");
  const on = tick(() => set(on.checked ? last : null));
  const then = select((value) => set({ then: value }));
  const wake = tick(() => set({ wake_for: wake.checked ? "flash" : null }));
  const exception = ticked(wake, "");
  const night = h("div", { class: "night", part: "night" }, h("i"));
  const bar = h("div", { "aria-hidden": "true" }, night, h("div", { class: "note ends" }, h("span", {}, soon(0)), h("span", {}, soon(1, "day"))));
  const tonight = h("p", { part: "tonight" });
  const zone = select((value) => save((now) => ({ time_zone: value, ...(now.quiet_hours && { quiet_hours: { time_zone: null } }) })));
  const elsewhere = field("", zone);
  const details = h("div", {}, h("div", { class: "row" }, field(t("quiet.start"), start), field(t("quiet.end"), end), field(t("quiet.then"), then)),
    wrong, exception, bar);

  return {
    elements: [ticked(on, t("quiet.on")), details, tonight, elsewhere],
    fill(preferences) {
      const hours = preferences.quiet_hours;
      on.checked = hours;
      details.hidden = !hours;
      if (hours) {
        last = { ...hours, time_zone: undefined };
        start.value = hours.start;
        end.value = hours.end;
        offer(then, ["defer", "drop"].map((each) => [each, t(`quiet.${each}`)]), hours.then ?? "defer");
        wake.checked = hours.wake_for;
        const level = hours.wake_for ?? "flash";
        const rate = altogether(site, preferences);
        const woken = rate === null ? "" : ` (${words.often(rate - altogether(site, preferences, level))})`;
        say(exception.lastChild, t(`quiet.wake.${level}`) + woken);
      }
      say(wrong, "");
      const lived = zoneOf(site, preferences);
      elsewhere.hidden = lived === here() || !(hours || preferences.daily_cap);
      if (!elsewhere.hidden) offer(zone, zones(lived).map((each) => [each, each.replaceAll("_", " ")]), lived);
      say(elsewhere.firstChild, t(here() === unknown ? "quiet.zone.unknown" : "quiet.zone"));
      say(tonight, preview(words, site, preferences, night));
    },
  };
}
