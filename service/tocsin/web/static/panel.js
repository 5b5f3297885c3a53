// Our own panel before the browser's prompt: what there is, how often, and one button.
import { busy, h, say } from "./dom.js";
import { reason } from "./element.js";
import { applied } from "./preferences.js";
import { chooseStory, storyName } from "./stories.js";
import { altogether, chooseTopic, topicControls } from "./topics.js";

const button = (text, onclick, more = {}) => h("button", { type: "button", part: "button", onclick, ...more }, text);

function offer({ tocsin, words }, story, { close, explain }) {
  const { t, n, often } = words;
  const { site } = tocsin;
  let wanted = tocsin.preferences;
  if (story) wanted = applied(wanted, chooseStory(wanted, "followed_stories", story, true));
  const topics = topicControls(words, site, (id, level) => {
    wanted = applied(wanted, chooseTopic(wanted, id, level));
    show();
  });
  topics.fill(wanted);
  const total = h("p", { class: "note", "aria-live": "polite" });
  const problem = h("p", { class: "problem", part: "problem", role: "alert" });
  const agree = h("input", { type: "checkbox" });
  const next = h("p", { class: "note", role: "status" }, t("panel.next"));
  const yes = h("button", { class: "primary", part: "button primary" }, t("panel.yes"));

  function show() {
    const rate = altogether(site, wanted);
    say(total, rate ? `${t("panel.total", { often: often(rate) })} ${n("often.note", 30)}` : "");
    say(problem, "");
  }

  async function subscribe(asked) {
    say(next, t("panel.waiting"));
    try {
      const state = await asked;
      if (state === "subscribed") return close();
      if (state === "denied") return explain();
      say(problem, t("panel.refused"));
    } catch (error) {
      say(problem, reason(words, error));
    }
    say(next, t("panel.next"));
  }

  function submit(event) {
    event.preventDefault();
    if (!wanted.topics?.length && !wanted.followed_stories?.length) return say(problem, t("panel.none"));
    if (site.consent && !agree.checked) {
      agree.focus();
      return say(problem, t("panel.agree"));
    }
    say(problem, "");
    // The prompt comes up in this very click.
    return busy(yes, () => subscribe(tocsin.subscribe(wanted)));
  }

  show();
  return h("form", { novalidate: true, onsubmit: submit },
    h("p", {}, story ? t("panel.follow", { story: storyName(story) }) : t("panel.lead", { site: site.name })),
    h("div", { class: "topics" }, ...topics.elements), total,
    site.consent && h("label", { class: "check" }, agree, h("span", {}, site.consent.text)),
    problem, h("div", { class: "row" }, yes, button(t("panel.no"), close)), next);
}

const steps = ({ tocsin, words: { t } }) => [h("p", {}, t("home.text")),
  h("ol", {}, ...[1, 2, 3].map((each) => h("li", {}, t(`home.step${each}`, { site: tocsin.site.name })))), h("p", { class: "note" }, t("home.note"))];

export const denial = ({ t }) => [h("p", {}, t("denied.text")), h("p", {}, t("denied.how"))];

function manage({ tocsin, words }, { close }) {
  const { t } = words;
  const status = h("p", { class: "note", role: "status" });
  const act = (work, done) => ({ currentTarget }) => busy(currentTarget, async () => {
    try {
      await work();
      done();
    } catch (error) {
      say(status, reason(words, error));
    }
  });
  const preferences = h("tocsin-preferences", { lang: words.language });
  preferences.tocsin = tocsin;
  return [preferences, h("div", { class: "row" },
    button(t("subscribe.test"), act(() => tocsin.test(), () => say(status, t("subscribe.tested")))),
    button(t("subscribe.end"), act(() => tocsin.unsubscribe(), close), { class: "quiet" })), status];
}

/**
 * Opens the panel that this browser's state asks for.
 * @param {import("./element.js").TocsinElement} element
 * @param {string} [story]  to be followed
 */
export function openPanel(element, story) {
  const { tocsin, words } = element;
  const { t } = words;
  const close = () => dialog.close();
  function closed() {
    dialog.remove();
    // The button that opened it may have made way for another.
    if (!element.shadowRoot.activeElement) element.box.querySelector("button, a")?.focus();
  }
  const title = h("h2", { id: "title", tabindex: "-1", autofocus: true });
  const body = h("div", { class: "body" });
  const dialog = h("dialog", { part: "panel", "aria-labelledby": "title", onclose: closed, onclick: ({ target }) => target === dialog && close() },
    h("div", { class: "head" }, title, h("button", { class: "close", type: "button", part: "close", "aria-label": t("panel.close"), onclick: close }, "×")), body);
  const views = {
    subscribed: ["subscribe.title", () => manage(element, { close })],
    "needs-home-screen": ["home.title", () => steps(element)],
    denied: ["denied.title", () => denial(words)],
    unsupported: ["subscribe.title", () => [h("p", {}, t("unsupported.text"))]],
    unsubscribed: ["panel.title", () => [offer(element, story, { close, explain: show })]],
  };
  function show() {
    const [heading, content] = views[tocsin.state];
    say(title, t(heading));
    body.replaceChildren(...content());
    title.focus();
  }
  show();
  element.box.append(dialog);
  dialog.showModal();
}
