// <tocsin-follow story="…" name="…">: follow or mute this story.
import { busy, h, say } from "./make.js";
import { reason, TocsinElement } from "./element.js";
import { openPanel } from "./panel.js";
import { chooseStory, hasStory, nameStory, storyName } from "./stories.js";

const LISTS = { follow: "followed_stories", mute: "muted_stories" };

export class FollowElement extends TocsinElement {
  build() {
    const { t } = this.words;
    const story = this.getAttribute("story");
    nameStory(story, this.getAttribute("name"));
    this.status = h("span", { class: "note", role: "status" });
    this.buttons = Object.keys(LISTS).map((act) => h("button", { type: "button", class: "toggle", part: `button ${act}`, value: act, onclick: (event) => this.#toggle(event.currentTarget) }, t(`follow.${act}`)));
    return [h("div", { class: "row", role: "group", "aria-label": t("follow.story", { story: storyName(story) }) }, ...this.buttons, this.status)];
  }

  show() {
    const { state, preferences } = this.tocsin;
    const on = state === "subscribed";
    this.box.hidden = state === "unsupported";
    for (const button of this.buttons) {
      button.hidden = !on && button.value === "mute";
      button.setAttribute("aria-pressed", String(on && hasStory(preferences[LISTS[button.value]], this.getAttribute("story"))));
    }
  }

  #toggle(button) {
    const story = this.getAttribute("story");
    if (this.tocsin.state !== "subscribed") return openPanel(this, story);
    const on = button.getAttribute("aria-pressed") !== "true";
    return busy(button, async () => {
      button.setAttribute("aria-pressed", String(on));
      try {
        await this.tocsin.update((now) => chooseStory(now, LISTS[button.value], story, on));
        say(this.status, "");
      } catch (error) {
        this.show();
        say(this.status, `${this.words.t("save.failed")} ${reason(this.words, error)}`);
      }
    });
  }
}
