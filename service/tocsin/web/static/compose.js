// The form for a new alert: counted as readers see it, checked before it is sent, kept over a reload.
import { $, $$, h, say } from "./dom.js";
import { showProblem } from "./field-errors.js";
import { ProblemError } from "./problem.js";

const DRAFT = "tocsin.draft";
const LIMITS = { headline: 120, body: 300 };
const FIREFOX_BODY = 200;

const segmenter = globalThis.Intl?.Segmenter ? new Intl.Segmenter() : null;

/** What a reader would call characters: a flag or a family is one. @param {string} text */
export function graphemes(text) {
  return segmenter ? [...segmenter.segment(text)].length : [...text].length;
}

/** @typedef {{headline: string, body: string, url: string, topics: string[], level: string}} Alert */

function read(form) {
  const fields = new FormData(form);
  const text = (name) => String(fields.get(name) ?? "").trim();
  return {
    headline: text("headline"),
    body: text("body"),
    url: text("url"),
    topics: fields.getAll("topics"),
    level: text("level"),
  };
}

function mistakes({ headline, body, url, topics, level }) {
  const found = [];
  const wrong = (field, message) => found.push({ field, message });
  if (!level) wrong("level", "Choose a level.");
  if (!headline) wrong("headline", "Write a headline.");
  if (graphemes(headline) > LIMITS.headline) wrong("headline", `At most ${LIMITS.headline} characters.`);
  if (graphemes(body) > LIMITS.body) wrong("body", `At most ${LIMITS.body} characters.`);
  if (!URL.canParse(url) || !url.startsWith("https://")) wrong("url", "The whole address of the story, beginning with https://.");
  if (!topics.length) wrong("topics", "Choose at least one topic.");
  return found;
}

function showCounts(alert) {
  for (const [name, limit] of Object.entries(LIMITS)) {
    const used = graphemes(alert[name]);
    const counter = $(`#${name}-count`);
    say(counter, `${used} of ${limit}`);
    counter.classList.toggle("over", used > limit);
    counter.classList.toggle("near", used <= limit && used > limit * 0.9);
  }
  $("#body-note").hidden = graphemes(alert.body) <= FIREFOX_BODY;
}

function showPreview({ headline, body, url }) {
  // Browsers name the site that the reader subscribed on, whatever the link.
  const { host } = new URL($("#preview").dataset.elsewhere || location);
  const texts = { headline: headline || "The headline", body, host };
  for (const element of $$("[data-show]", $("#preview"))) {
    say(element, texts[element.dataset.show]);
    element.classList.toggle("unset", element.dataset.show === "headline" && !headline);
  }
}

/**
 * @param {HTMLFormElement} form
 * @param {{review: (alert: Alert) => void}} hooks
 */
export function compose(form, { review }) {
  function changed() {
    const alert = read(form);
    showCounts(alert);
    showPreview(alert);
    sessionStorage.setItem(DRAFT, JSON.stringify(alert));
  }

  function fill({ headline = "", body = "", url = "", topics = [], level = "" }) {
    Object.entries({ headline, body, url }).forEach(([name, value]) => { form.elements[name].value = value; });
    for (const input of $$("input[name=topics]", form)) input.checked = topics.includes(input.value);
    for (const input of $$("input[name=level]", form)) input.checked = input.value === level;
    changed();
  }

  // A line break is a control character, which the service refuses; a pasted one becomes a space.
  form.addEventListener("input", ({ target }) => {
    if (target.tagName === "TEXTAREA" && /[\r\n\t]/.test(target.value)) {
      const at = target.selectionStart;
      target.value = target.value.replace(/[\r\n\t]/g, " ");
      target.setSelectionRange(at, at);
    }
    const field = target.closest("[data-field]");
    if (field) showProblem(form, null, field.dataset.field);
    changed();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.tagName === "TEXTAREA" && !event.isComposing) event.preventDefault();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const alert = read(form);
    const errors = mistakes(alert);
    showProblem(form, errors.length ? new ProblemError({ errors }) : null);
    if (!errors.length) review(alert);
  });

  return {
    /** @param {{id: string, name: string, description?: string}[]} topics */
    topics(topics) {
      const pill = ({ id, name, description }) => h("label", { class: "pill", title: description },
        h("input", { type: "checkbox", name: "topics", value: id }), h("span", {}, name));
      $("#topics", form).replaceChildren(...topics.map(pill));
      fill(JSON.parse(sessionStorage.getItem(DRAFT) ?? "{}"));
    },
    /** The service refused it: its words at the fields. @param {ProblemError} error */
    refuse: (error) => showProblem(form, error),
    clear() {
      showProblem(form, null);
      fill({});
      sessionStorage.removeItem(DRAFT);
    },
  };
}
