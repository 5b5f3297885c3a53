// How <tocsin-data> looks, beside what all elements have.

const STYLE = `
section { padding: 1.5rem 0; border-top: 1px solid var(--rule); }
section:first-child { padding-top: .75rem; border-top: 0; }
h3 { margin: 0 0 .25rem; font-family: var(--tocsin-heading-font, inherit); font-size: 1.125rem; line-height: 1.3; }
section p { text-wrap: pretty; }
.deed { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; align-items: center; }
.deed > .note { flex: 1 1 16rem; margin: 0; }
button.danger { border-color: var(--bad); color: var(--bad); }
button.bad { background: var(--bad); border-color: var(--bad); color: var(--paper); }
:host { --bad: light-dark(#a11d16, #ff9c8f); --warn: light-dark(#865200, #eab563); }

.fates { margin: .75rem 0; padding: 0; list-style: none; border-block: 1px solid var(--rule); }
.fate { display: flex; flex-wrap: wrap; gap: 0 1.25rem; padding: .75rem 0; }
.fate + .fate { border-top: 1px solid var(--rule); }
.fate p { margin: 0; }
.fate > div { flex: 1 1 15rem; min-width: 0; }
.name { flex: 0 0 7.5rem; font-size: .875rem; font-weight: 600; line-height: 1.7; color: var(--muted); }
.sent .name { color: light-dark(#1c6844, #7fcb9f); }
.waiting .name, .held .name { color: var(--warn); }
.failed .name { color: var(--bad); }
.headline { font-family: var(--tocsin-heading-font, inherit); font-size: 1.0625rem; font-weight: 700; overflow-wrap: anywhere; }
.from { font-size: .8125rem; color: var(--muted); }
.from > * + *::before { content: "·"; margin-inline: .4375rem; }
.headline ~ p:not(.from) { font-size: .9375rem; }

dl { margin: .75rem 0 1.25rem; }
dt { font-weight: 700; }
dd { margin: 0 0 .75rem; color: var(--muted); }
.ended:focus { outline: none; }
@media (max-width: 40rem) {
  dialog .row button { width: 100%; }
}
@media (forced-colors: active) {
  button.bad, button.danger { border-width: 2px; }
}`;

let made;

/** @param {ShadowRoot} root */
export function dress(root) {
  if (!made) {
    made = new CSSStyleSheet();
    // Safari before 17.5 has no light-dark(): there it is always light.
    made.replaceSync(CSS.supports("color", "light-dark(#fff, #000)") ? STYLE : STYLE.replace(/light-dark\((.+?),.+?\)/g, "$1"));
  }
  if (!root.adoptedStyleSheets.includes(made)) root.adoptedStyleSheets.push(made);
}
