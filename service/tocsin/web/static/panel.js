// Our own panel before the browser's prompt: what there is, how often, and one button.
import { button, live, note, tick, ticked } from "./controls.js";
import { busy, h, say } from "./make.js";
import { reason } from "./element.js";
import { applied } from "./preferences.js";
import { chooseStory, storyName } from "./stories.js";
import { altogether, chooseTopic, topicControls } from "./topics.js";

function subscribing({ tocsin, words }, story, close, explain) {
  const { t, often } = words;
  const { site } = tocsin;
  let wanted = tocsin.preferences;
  // Who wants one story is not given a desk.
  if (story) wanted = applied({ ...wanted, topics: [] }, chooseStory(wanted, "followed_stories", story, true));
  const topics = topicControls(words, site, (id, level) => {
    wanted = applied(wanted, chooseTopic(wanted, id, level));
    show();
  });
  topics.fill(wanted);
  const total = h("span", { role: "status" });
  const rates = note(total, ` ${t("often.note")}`);
  const problem = h("p", { class: "problem", part: "problem", role: "alert" });
  const agrees = tick();
  const next = live("note");
  const yes = button(t("panel.yes"), null, "primary", { type: "submit" });

  function show() {
    const rate = altogether(site, wanted);
    rates.hidden = !rate;
    say(total, t("panel.total", { often: often(rate) }));
    say(problem, "");
    say(next, t("panel.next"));
    say(yes, t("panel.yes"));
  }

  function fail(text) {
    say(problem, text);
    say(next, "");
  }

  async function subscribe(asked) {
    show();
    const tell = () => say(next, t(Notification.permission === "granted" ? "save.saving" : "panel.waiting"));
    tell();
    // Once the reader has answered, it is the push service that is waited for; not every browser tells when they do.
    const timer = setInterval(tell, 250);
    try {
      const state = await asked;
      if (state === "subscribed") return close();
      if (state === "denied") return explain();
      fail(t("panel.refused"));
    } catch (error) {
      fail(reason(words, error));
      say(yes, t("problem.again"));
    } finally {
      clearInterval(timer);
    }
  }

  function onsubmit(event) {
    event.preventDefault();
    if (!wanted.topics?.length && !wanted.followed_stories?.length) return fail(t("panel.none"));
    // The prompt comes up in this very click.
    return busy(yes, () => subscribe(tocsin.subscribe(wanted, { consent: agrees.checked })));
  }

  show();
  return [h("form", { onsubmit },
    h("p", {}, story ? t("panel.follow", { story: storyName(story) }) : t("panel.lead", { site: site.name })),
    h("div", { class: "topics" }, ...topics.elements), rates,
    site.consent && ticked(agrees, site.consent.text, " ", h("bdi", {}, t("panel.consent"))),
    site.privacy_url && note(h("a", { href: site.privacy_url, target: "_blank" }, t("panel.privacy"))),
    h("div", { class: "row" }, problem, next, yes, button(t("panel.no"), close)))];
}

export const denial = ({ t }) => [h("p", {}, t("denied.text")), h("p", {}, t("denied.how"))];

export const deed = ({ t }, name, work, tell) =>
  button(t(`subscribe.${name}`), ({ currentTarget }) => busy(currentTarget, () => work().catch(tell)), "small");

function managing({ tocsin, words }, close, showData) {
  const { t } = words;
  const status = live("note");
  const tell = (error) => say(status, reason(words, error));
  return [h("tocsin-preferences", { lang: words.language, tocsin }), h("div", { class: "row" },
    deed(words, "test", () => tocsin.test().then(() => say(status, t("subscribe.tested"))), tell),
    button(t("data.title"), showData, "small"),
    deed(words, "end", () => tocsin.unsubscribe().then(close), tell)), status];
}

/**
 * Opens the panel that this browser's state asks for.
 * @param {import("./element.js").TocsinElement} element
 * @param {string} [story]  to be followed
 * @param {string} [view]  another than that of the state
 */
export function openPanel(element, story, view) {
  const { tocsin, words, shadowRoot } = element;
  const { t } = words;
  const close = () => dialog.close();
  const title = h("h2", { id: "title", tabindex: "-1", autofocus: true });
  const body = h("div");
  const dialog = h("dialog", { part: "panel", "aria-labelledby": "title", lang: words.language, dir: words.dir, onclick: ({ target }) => target === dialog && close(), onclose: () => {
    dialog.remove();
    // The button that opened it may have made way for another.
    if (!shadowRoot.activeElement) element.box.querySelector("button, a")?.focus();
  } }, h("div", { class: "head" }, title, button("×", close, "close", { "aria-label": t("panel.close") })), body);
  const views = {
    subscribed: ["subscribe", () => managing(element, close, () => show("data"))],
    data: ["data", () => [button(t("panel.back"), () => (tocsin.state === "subscribed" ? show() : close()), "small"), h("tocsin-data", { lang: words.language, tocsin })]],
    "needs-home-screen": ["home", () => [note(t("home.text")), h("ol", {}, ...[1, 2, 3].map((each) => h("li", {}, t(`home.step${each}`, { site: tocsin.site.name })))), note(t("home.note"))]],
    denied: ["denied", () => denial(words)],
    unsubscribed: ["panel", () => subscribing(element, story, close, () => show())],
  };
  function show(asked = tocsin.state) {
    const [name, content] = views[asked];
    say(title, t(`${name}.title`));
    body.replaceChildren(...content());
    title.focus();
  }
  show(view);
  shadowRoot.append(dialog);
  dialog.showModal();
}
