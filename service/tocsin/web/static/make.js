// Making elements. Text only ever goes in as text.

/**
 * An element: `h("p", { class: "small" }, "text")`. Functions under `on…` become listeners, objects properties; false and null
 * leave out.
 * @param {string} tag
 * @param {Record<string, unknown>} [attributes]
 * @param {...(Node|string|number|null|undefined|false)} children
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value && typeof value === "object") element[name] = value;
    else if (value !== false && value != null) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child != null && child !== false).map((c) => (c instanceof Node ? c : String(c))));
  return element;
}

/** Set text only where it differs, so that screen readers and selections are left in peace. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Run one thing at a time from a button. It keeps its focus meanwhile, which `disabled` would take away.
 * @param {HTMLElement} button
 * @param {() => Promise<unknown>} work
 */
export async function busy(button, work) {
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  try {
    await work();
  } finally {
    button.removeAttribute("aria-disabled");
  }
}
