// <tocsin-preferences>: all that a reader may choose. Every change is saved at once.
import { button, field, live, note, offer, select, tick, ticked } from "./controls.js";
import { h, say } from "./make.js";
import { reason, TocsinElement } from "./element.js";
import { chooseStory, stories, storyName } from "./stories.js";
import { chooseTopic, topicControls } from "./topics.js";

const HOUR = 3_600_000;
const CAPS = [1, 3, 5, 10, 20];

/** How long it is until seven o'clock of tomorrow, or of today for who is up in the small hours. */
function morning() {
  const next = new Date();
  next.setDate(next.getDate() + (next.getHours() < 3 ? 0 : 1));
  return next.setHours(7, 0, 0, 0) - Date.now();
}

const LENGTHS = { hour: () => HOUR, morning, day: () => 24 * HOUR, week: () => 168 * HOUR };

export class PreferencesElement extends TocsinElement {
  #saving = 0;
  #parts = [];
  #timer = null;
  #saved = null;

  async load() {
    Object.assign(this, await import("./tocsin-quiet.js"));
  }

  build() {
    const { words, tocsin } = this;
    const { t } = words;
    const { site } = tocsin;
    const save = (change) => this.#save(() => tocsin.update(change));
    const saveHere = (change) => this.#save(() => this.inZone(tocsin, change));
    const topics = topicControls(words, site, (id, level) => save((now) => chooseTopic(now, id, level)));
    topics.elements.push(note(site.topics.some((topic) => topic.per_day) && t("often.note")));
    this.status = live("status");
    const parts = { topic: topics, quiet: this.quietPart(words, site, save, saveHere), cap: this.#cap(save, saveHere), snooze: this.#snooze(save),
      stories: this.#stories(save), language: this.#language(save), ...(site.consent && { consent: this.#consent() }) };
    this.#parts = Object.values(parts);
    this.form = h("div", {}, ...Object.entries(parts).map(([name, { elements }]) =>
      h("fieldset", { part: "section" }, h("legend", { part: "heading" }, t(`${name}.title`)), ...elements)), this.status);
    this.off = h("tocsin-subscribe", { lang: words.language, tocsin });
    clearInterval(this.#timer);
    // Tonight comes nearer while the page is open.
    this.#timer = setInterval(() => this.matches(":focus-within") || this.show(), 60_000);
    return [this.form, this.off];
  }

  disconnectedCallback() {
    clearInterval(this.#timer);
    clearTimeout(this.#saved);
    super.disconnectedCallback();
  }

  show() {
    const { state, preferences } = this.tocsin;
    const on = state === "subscribed";
    this.form.hidden = !on;
    // One button is enough for a page.
    this.off.hidden = on || !!this.getRootNode().querySelector("tocsin-subscribe");
    // What the reader has just set is on its way: what holds is shown when all is saved.
    if (on && !this.#saving) for (const part of this.#parts) part.fill(preferences);
  }

  async #save(work) {
    const { t } = this.words;
    this.#saving += 1;
    this.#tell("status", "");
    // What is quick is not worth a word of its own.
    const slow = setTimeout(() => this.#tell("status", t("save.saving")), 700);
    let failed = null;
    try {
      await work();
    } catch (error) {
      failed = `${t("save.failed")} ${reason(this.words, error)}`;
    }
    clearTimeout(slow);
    this.#saving -= 1;
    this.show();
    if (failed) this.#tell("status failed", failed);
    else if (!this.#saving) {
      this.#tell("status done", t("save.saved"));
      // It lies over the choices below it.
      if (this.isConnected) this.#saved = setTimeout(() => this.#tell("status", ""), 4_000);
    }
  }

  #tell(name, text) {
    clearTimeout(this.#saved);
    this.status.className = name;
    say(this.status, text);
  }

  #cap(save, saveHere) {
    const { t, number } = this.words;
    const exempt = tick(() => save({ daily_cap: { flash_exempt: exempt.checked } }));
    const exemption = ticked(exempt, t("cap.exempt"));
    const count = select((value) => saveHere((now) => ({
      daily_cap: value ? { count: Number(value), ...(!now.daily_cap && { flash_exempt: true }) } : null })));
    return {
      elements: [field(t("cap.label"), count), exemption],
      fill({ daily_cap: cap }) {
        const all = [...new Set([...CAPS, cap?.count ?? 1])].sort((a, b) => a - b);
        offer(count, [["", t("cap.none")], ...all.map((each) => [each, number(each)])], cap?.count ?? "");
        exemption.hidden = !cap;
        exempt.checked = cap?.flash_exempt;
      },
    };
  }

  #snooze(save) {
    const { t, time } = this.words;
    const state = live("note");
    const until = (moment) => save({ snoozed_until: moment && new Date(moment).toISOString() });
    const ending = button(t("snooze.end"), () => until(null), "small");
    const starts = Object.keys(LENGTHS).map((key) => button(t(`snooze.${key}`), () => until(Date.now() + LENGTHS[key]()), "small"));
    return {
      elements: [state, h("div", { class: "row" }, ...starts, ending)],
      fill({ snoozed_until: moment }) {
        const end = new Date(moment ?? 0);
        ending.hidden = end < new Date();
        say(state, ending.hidden ? t("snooze.off") : t("snooze.on", { time: time(end, { weekday: "long", hour: "numeric", minute: "2-digit" }) }));
      },
    };
  }

  #stories(save) {
    const { t, time } = this.words;
    const none = note(t("stories.none"));
    const list = h("div", { tabindex: -1 });
    const item = (key) => ({ story, until }) => h("li", {},
      h("span", {}, storyName(story), " ", until && h("small", {}, t("stories.until", { time: time(new Date(until), { dateStyle: "medium" }) }))),
      button("×", () => {
        // The button goes with its story, so the focus needs another place.
        list.focus();
        save((now) => chooseStory(now, key, story, false));
      }, "close", { "aria-label": t("stories.remove", { story: storyName(story) }) }));
    let looks = "";
    return {
      elements: [none, list],
      fill(preferences) {
        const held = ["followed", "muted"].map((name) => [name, stories(preferences[`${name}_stories`])]).filter(([, all]) => all.length);
        none.hidden = held.length;
        if (looks === (looks = JSON.stringify(held))) return;
        list.replaceChildren(...held.flatMap(([name, all]) => [h("b", {}, t(`stories.${name}`)), h("ul", {}, ...all.map(item(`${name}_stories`)))]));
      },
    };
  }

  #language(save) {
    const { t, language } = this.words;
    const { languages } = this.tocsin.site;
    const control = select((value) => save({ language: value || null }));
    const names = new Intl.DisplayNames(language, { type: "language" });
    return {
      elements: [field(t("language.label"), control), note(t("language.note"))],
      fill: ({ language: wanted }) => {
        const all = wanted && !languages.includes(wanted) ? [wanted, ...languages] : languages;
        // Where all alerts are in one language there is nothing to choose, but what was chosen can be taken back.
        control.closest("fieldset").hidden = !wanted && all.length < 2;
        offer(control, [["", t("language.all")], ...all.map((each) => [each, names.of(each)])], wanted ?? "");
      },
    };
  }

  #consent() {
    const { tocsin } = this;
    const agrees = tick(() => this.#save(() => tocsin.agree(agrees.checked)));
    return {
      elements: [ticked(agrees, tocsin.site.consent.text)],
      fill: () => { agrees.checked = tocsin.consent; },
    };
  }
}
