// Quiet hours: from when to when, what then, and what that means for tonight.
import { h, say } from "./dom.js";
import { quiet } from "./quiet.js";
import { altogether } from "./topics.js";

const WHOLE_DAY = 86_400_000;
const USUAL = { start: "22:00", end: "07:00", wake_for: null, then: "defer" };

const here = () => {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  return timeZone && timeZone !== "Etc/Unknown" ? timeZone : "UTC";
};

/** The zone in which a reader's hours are meant. */
export const zoneOf = (preferences) => preferences.quiet_hours?.time_zone ?? preferences.time_zone ?? here();

/** Hours and days are meant as this device's clock shows them, unless the reader has said where they live. */
export const inZone = (now, patch) => (now.time_zone ? patch : { ...patch, time_zone: here() });

function preview({ t, n, time }, site, preferences, bar) {
  const hours = preferences.quiet_hours;
  bar.hidden = !hours;
  if (!hours) return t("quiet.open");
  const now = Date.now();
  const zone = zoneOf(preferences);
  const { begins, ends, isNow } = quiet(hours, zone, now);
  const clock = (moment) => time(moment, { timeStyle: "short", timeZone: zone });
  const [start, end] = [clock(begins), clock(ends)];
  const span = Math.max(WHOLE_DAY, ends - now);
  bar.style.setProperty("--from", `${Math.max(0, ((begins - now) / span) * 100)}%`);
  bar.style.setProperty("--for", `${((ends - Math.max(begins, now)) / span) * 100}%`);
  const evening = hours.start >= "17:00" && begins - now < WHOLE_DAY;
  const said = t(isNow ? "quiet.now" : evening ? "quiet.tonight" : "quiet.later", { start, end });
  const rate = hours.then === "drop" ? null : altogether(site, preferences, hours.wake_for);
  const waiting = Math.round((rate * (ends - begins)) / WHOLE_DAY);
  return waiting ? `${said} ${n("quiet.wait", waiting, { end })}` : said;
}

/** @param {(change: object) => void} save  gets merge patches, or what makes them */
export function quietPart(words, site, save) {
  const { t } = words;
  let last = USUAL;
  const set = (patch) => save((now) => inZone(now, { quiet_hours: patch && { ...(now.quiet_hours ? {} : last), ...patch } }));
  let timer;

  // A clock field changes with every digit: what is saved is what stands there when the reader pauses.
  const clock = (name) => h("input", { type: "time", required: true, onchange: ({ target }) => {
    clearTimeout(timer);
    say(wrong, start.value === end.value ? t("quiet.same") : "");
    if (target.value && start.value !== end.value) timer = setTimeout(() => set({ [name]: target.value }), 400);
  } });
  const start = clock("start");
  const end = clock("end");
  const wrong = h("p", { class: "problem", role: "alert" });
  const on = h("input", { type: "checkbox", onchange: () => set(on.checked ? last : null) });
  const then = h("select", { onchange: () => set({ then: then.value }) }, ...["defer", "drop"].map((each) => h("option", { value: each }, t(`quiet.${each}`))));
  const wake = h("input", { type: "checkbox", onchange: () => set({ wake_for: wake.checked ? "flash" : null }) });
  const wakeText = h("span");
  const bar = h("div", { class: "night", part: "night", "aria-hidden": "true" }, h("i"));
  const sentence = h("p", { class: "tonight", part: "tonight", "aria-live": "polite" });
  const zone = h("span");
  const elsewhere = h("p", { class: "note row" }, zone, h("button", { type: "button", class: "small", part: "button", onclick: () => save((now) => ({
    time_zone: here(), ...(now.quiet_hours && { quiet_hours: { time_zone: null } }) })) }, t("quiet.zone.here")));
  const field = (text, control) => h("label", { class: "field" }, text, control);
  const details = h("div", { class: "details" },
    h("div", { class: "row" }, field(t("quiet.start"), start), field(t("quiet.end"), end), field(t("quiet.then"), then)), wrong,
    h("label", { class: "check" }, wake, wakeText), elsewhere);

  return {
    elements: [h("label", { class: "check switch" }, on, h("span", {}, t("quiet.on"))), details, bar, sentence],
    fill(preferences) {
      const hours = preferences.quiet_hours;
      on.checked = Boolean(hours);
      details.hidden = !hours;
      if (hours) {
        last = { start: hours.start, end: hours.end, wake_for: hours.wake_for ?? null, then: hours.then ?? "defer" };
        start.value = last.start;
        end.value = last.end;
        then.value = last.then;
        wake.checked = last.wake_for !== null;
        say(wakeText, t(`quiet.wake.${last.wake_for ?? "flash"}`));
        say(wrong, "");
      }
      const zoned = zoneOf(preferences);
      elsewhere.hidden = zoned === here();
      say(zone, t("quiet.zone", { zone: zoned.split("/").pop().replaceAll("_", " ") }));
      this.tell(preferences);
    },
    tell: (preferences) => say(sentence, preview(words, site, preferences, bar)),
  };
}
