// <tocsin-preferences>: all that a reader may choose. Every change is saved at once.
import { h, say } from "./dom.js";
import { reason, TocsinElement } from "./element.js";
import { inZone, quietPart } from "./quiet-part.js";
import { chooseStory, stories, storyName } from "./stories.js";
import { chooseTopic, topicControls } from "./topics.js";

const HOUR = 3_600_000;
const CAPS = [1, 3, 5, 10, 20];

const part = (title, ...children) => h("fieldset", { part: "section" }, h("legend", { part: "heading" }, title), ...children);
const options = (select, wanted, name) => select.replaceChildren(...wanted.map((value) => h("option", { value: value ?? "" }, name(value))));

/** Seven o'clock of tomorrow, or of today where that is a sleep away. */
function morning(now = new Date()) {
  const next = new Date(now);
  next.setHours(7, 0, 0, 0);
  if (now.getHours() >= 3) next.setDate(next.getDate() + 1);
  return next - now;
}

export class PreferencesElement extends TocsinElement {
  #saving = 0;
  #parts = [];
  #timer = null;

  build() {
    const { t, n, often } = this.words;
    const { site } = this.tocsin;
    const save = (change) => this.#save(change);
    const topics = topicControls(this.words, site, (id, level) => save((now) => chooseTopic(now, id, level)));
    const quiet = quietPart(this.words, site, save);
    const [cap, snooze, both, language] = [this.#cap(save), this.#snooze(save), this.#stories(save), this.#language(save)];
    this.#parts = [topics, quiet, cap, snooze, both, language];
    this.status = h("p", { class: "status", part: "status", role: "status" });
    this.form = h("div", {}, part(t("topic.title"), h("div", { class: "topics" }, ...topics.elements),
      site.topics.some((topic) => topic.per_day) && h("p", { class: "note" }, n("often.note", 30))),
    part(t("quiet.title"), ...quiet.elements), part(t("cap.title"), ...cap.elements), part(t("snooze.title"), ...snooze.elements),
    part(t("stories.title"), ...both.elements), part(t("language.title"), ...language.elements), this.status);
    this.off = h("tocsin-subscribe", { lang: this.words.language });
    this.off.tocsin = this.tocsin;
    clearInterval(this.#timer);
    // Tonight comes nearer while the page is open.
    this.#timer = setInterval(() => this.#saving || document.hidden || this.show(), 60_000);
    return [this.form, this.off];
  }

  disconnectedCallback() {
    clearInterval(this.#timer);
    super.disconnectedCallback();
  }

  show() {
    const on = this.tocsin.state === "subscribed";
    this.form.hidden = !on;
    this.off.hidden = on;
    // What the reader has just set is on its way: what holds is shown when all is saved.
    if (on && !this.#saving) for (const each of this.#parts) each.fill(this.tocsin.preferences);
  }

  async #save(change) {
    const { t } = this.words;
    this.#saving += 1;
    this.#tell("", t("save.saving"));
    let failed = null;
    try {
      await this.tocsin.update(change);
    } catch (error) {
      failed = `${t("save.failed")} ${reason(this.words, error)}`;
    }
    this.#saving -= 1;
    if (!this.#saving) this.show();
    if (failed) this.#tell("failed", failed);
    else if (!this.#saving) this.#tell("done", t("save.saved"));
  }

  #tell(kind, text) {
    this.status.className = `status ${kind}`;
    say(this.status, text);
  }

  #cap(save) {
    const { t, n } = this.words;
    const exempt = h("input", { type: "checkbox", onchange: () => save({ daily_cap: { flash_exempt: exempt.checked } }) });
    const count = h("select", { onchange: () => save((now) => inZone(now, { daily_cap: count.value ? { count: Number(count.value), ...(!now.daily_cap && { flash_exempt: true }) } : null })) });
    const exemption = h("label", { class: "check" }, exempt, h("span", {}, t("cap.exempt")));
    return {
      elements: [h("label", { class: "field" }, t("cap.label"), count), exemption],
      fill({ daily_cap: cap }) {
        const all = [...new Set([...CAPS, ...(cap ? [cap.count] : [])])].sort((a, b) => a - b);
        options(count, [null, ...all], (value) => (value === null ? t("cap.none") : n("cap.some", value)));
        count.value = cap?.count ?? "";
        exemption.hidden = !cap;
        exempt.checked = Boolean(cap?.flash_exempt);
      },
    };
  }

  #snooze(save) {
    const { t, time } = this.words;
    const until = (length) => save({ snoozed_until: new Date(Date.now() + length()).toISOString() });
    const button = (key, act) => h("button", { type: "button", class: "small", part: "button", onclick: act }, t(`snooze.${key}`));
    const state = h("p", { class: "note", "aria-live": "polite" });
    const ending = button("end", () => save({ snoozed_until: null }));
    const lengths = { hour: () => HOUR, morning, day: () => 24 * HOUR, week: () => 168 * HOUR };
    const row = h("div", { class: "row" }, ...Object.entries(lengths).map(([key, length]) => button(key, () => until(length))), ending);
    return {
      elements: [state, row],
      fill({ snoozed_until: end }) {
        const on = end && new Date(end) > new Date();
        ending.hidden = !on;
        say(state, on ? t("snooze.on", { time: time(new Date(end), { weekday: "long", hour: "numeric", minute: "2-digit" }) }) : t("snooze.off"));
      },
    };
  }

  #stories(save) {
    const { t, time } = this.words;
    const none = h("p", { class: "note" }, t("stories.none"));
    const list = (key, name) => {
      const items = h("ul");
      const element = h("div", {}, h("b", {}, t(`stories.${name}`)), items);
      const item = ({ story, until }) => h("li", {}, h("span", {}, storyName(story), " ", until && h("small", {}, t("stories.until", { time: time(new Date(until), { dateStyle: "medium" }) }))),
        h("button", { type: "button", class: "small", part: "button", "aria-label": t("stories.remove", { story: storyName(story) }), onclick: () => {
          // The button goes with its story, so the focus needs another place.
          this.status.tabIndex = -1;
          this.status.focus();
          save((now) => chooseStory(now, key, story, false));
        } }, "×"));
      return { key, element, items, item };
    };
    const lists = [list("followed_stories", "followed"), list("muted_stories", "muted")];
    return {
      elements: [none, ...lists.map(({ element }) => element)],
      fill(preferences) {
        for (const { key, element, items, item } of lists) {
          const held = stories(preferences[key]);
          const looks = JSON.stringify(held);
          element.hidden = !held.length;
          if (items.dataset.looks !== looks) items.replaceChildren(...held.map(item));
          items.dataset.looks = looks;
        }
        none.hidden = lists.some(({ element }) => !element.hidden);
      },
    };
  }

  #language(save) {
    const { t, language } = this.words;
    const select = h("select", { onchange: () => save({ language: select.value || null }) });
    const names = new Intl.DisplayNames(language, { type: "language" });
    const usual = [this.tocsin.site.language, "en", "ar", ...navigator.languages].filter(Boolean).map((each) => each.split("-")[0]);
    return {
      elements: [h("label", { class: "field" }, t("language.label"), select)],
      fill({ language: wanted }) {
        options(select, [null, ...new Set([...(wanted ? [wanted] : []), ...usual])], (each) => (each === null ? t("language.all") : names.of(each)));
        select.value = wanted ?? "";
      },
    };
  }
}
