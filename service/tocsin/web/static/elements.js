// Our elements get their names.
import { DataElement } from "./data-element.js";
import { FollowElement } from "./follow-element.js";
import { PreferencesElement } from "./preferences-element.js";
import { SubscribeElement } from "./subscribe-element.js";

const ELEMENTS = { "tocsin-subscribe": SubscribeElement, "tocsin-preferences": PreferencesElement, "tocsin-follow": FollowElement, "tocsin-data": DataElement };

for (const [name, element] of Object.entries(ELEMENTS)) {
  if (!customElements.get(name)) customElements.define(name, element);
}
