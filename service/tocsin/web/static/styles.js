// How our elements look. A constructed sheet needs no 'unsafe-inline'; the variables are a site's to set.

const STYLE = `
:host { display: block; color-scheme: inherit; line-height: 1.45; font-family: var(--tocsin-font, inherit); color: var(--ink);
  --accent: var(--tocsin-accent, light-dark(#9c2a1c, #f0927f));
  --on-accent: var(--tocsin-on-accent, light-dark(#fff8f3, #2b0e08));
  --paper: var(--tocsin-paper, light-dark(#fffdf9, #211d1a));
  --ink: var(--tocsin-ink, light-dark(#1e1a16, #f2ece3));
  --muted: var(--tocsin-muted, light-dark(#675d52, #b0a598));
  --rule: var(--tocsin-rule, light-dark(#dfd6c8, #3a342e));
  --edge: var(--tocsin-edge, light-dark(#8b7f71, #857a6e));
  --radius: var(--tocsin-radius, 10px); }
:host([hidden]), [hidden] { display: none !important; }
* { box-sizing: border-box; }
p, ul, ol { margin: .5rem 0; }
.row { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; }
.row > p { margin: 0; }
form p { flex: 1 0 100%; }
small, .note { font-size: .875rem; color: var(--muted); }
p:empty { display: none; }
.on, .problem, b, .done, .failed, summary { font-weight: 600; }
.on::before, .done::before, [aria-pressed="true"]::before { content: "✓ "; }
.on, .done { color: light-dark(#1c6844, #7fcb9f); }
.problem, .failed { color: light-dark(#a11d16, #ff9c8f); }
:focus-visible, .choices :has(:focus-visible) { outline: 3px solid light-dark(#1a5fb4, #8cc0ff); outline-offset: 2px; }
.choices :has(:focus-visible) { outline-offset: -4px; }
[tabindex]:focus { outline: none; }

button, select, [type="time"] { font: inherit; min-height: 2.75rem; max-width: 100%; padding: .375rem .5rem; border: 1px solid var(--edge); border-radius: calc(var(--radius) * .6); background: none; color: var(--ink); }
select { padding-block: 0; }
button { padding: .375rem 1rem; border-radius: var(--tocsin-button-radius, 99px); font-weight: 600; }
button, label, summary { cursor: pointer; }
button:hover { border-color: var(--ink); }
.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
.small { font-size: .875rem; }
.close { flex: none; width: 2.75rem; padding: 0; margin-inline-end: -.875rem; border-color: transparent; font-size: 1.25rem; }
[aria-disabled="true"] { opacity: .6; }
[aria-pressed="true"] { background: var(--ink); border-color: var(--ink); color: var(--paper); }
a { padding: .625rem 0; color: var(--accent); }
details, dialog { max-width: 36rem; }

dialog { scroll-padding: 4rem 0 10rem; width: calc(100vw - 2rem); max-height: calc(100dvh - 2rem); padding: 0; border: 1px solid var(--rule); border-radius: var(--radius); background: var(--paper); color: var(--ink); }
dialog > div { padding: 0 1.5rem 1.5rem; }
dialog::backdrop { background: #140f0a8c; }
dialog > .head { position: sticky; top: 0; z-index: 1; display: flex; justify-content: space-between; padding: 1rem 1.5rem 0; background: var(--paper); }
h2, legend { margin: .5rem 0; font-family: var(--tocsin-heading-font, inherit); font-size: 1.25rem; font-weight: 700; line-height: 1.2; }

fieldset { min-width: 0; margin: 0; padding: 1.5rem 0; border: 0; border-top: 1px solid var(--rule); }
fieldset:first-child { border: 0; padding-top: 0; }
legend { float: inline-start; width: 100%; padding: 0; }
legend + * { clear: both; }
.topic { display: grid; grid-template-columns: 1fr minmax(0, 21rem); gap: .5rem 1rem; align-items: center; padding: .75rem 0; }
.topic + .topic { border-top: 1px solid var(--rule); }
.topic small { display: block; }
.choices { display: grid; grid-template-columns: repeat(auto-fit, minmax(5rem, 1fr)); gap: 1px; border: 1px solid var(--edge); border-radius: var(--radius); background: var(--rule); overflow: hidden; }
.choices label { position: relative; display: grid; align-content: center; min-height: 3.25rem; padding: .25rem; background: var(--paper); text-align: center; line-height: 1.25; }
.choices small { font-size: .75rem; color: inherit; }
.choices input { position: absolute; inset: 0; margin: 0; opacity: 0; }
.choices label:has(:checked) { background: var(--accent); color: var(--on-accent); }
.choices label:has([value="off"]:checked) { background: var(--rule); color: var(--ink); }

.check { display: flex; gap: .75rem; align-items: center; }
.check, summary { padding: .625rem 0; }
[type="checkbox"] { flex: none; width: 1.25rem; height: 1.25rem; margin: 0; accent-color: var(--accent); }
.field { display: inline-flex; flex-direction: column; gap: .25rem; max-width: 100%; font-size: .875rem; color: var(--muted); }
.field * { font-size: 1rem; }
.ends { display: flex; justify-content: space-between; font-size: .75rem; }
.night { height: .75rem; margin: .5rem 0 .25rem; border-radius: 99px; background: color-mix(in srgb, var(--accent) 28%, transparent); }
.night i { display: block; height: 100%; width: var(--for); margin-inline-start: var(--from); border-radius: 99px; background: light-dark(#2b3350, #8d99c9); }
ul { list-style: none; padding: 0; }
ul li { display: flex; justify-content: space-between; align-items: center; border-bottom: 1px solid var(--rule); }
ol { padding-inline-start: 1.5rem; }
form > .row { position: sticky; bottom: 0; padding: .75rem 0; border-top: 1px solid var(--rule); background: var(--paper); }
.status { position: sticky; bottom: 1rem; width: fit-content; margin-inline-start: auto; pointer-events: none; padding: .5rem 1rem; border: 1px solid; border-radius: var(--radius); background: var(--paper); box-shadow: 0 .25rem 1rem #0003; }

@media (max-width: 40rem) {
  dialog { width: 100%; max-width: 100%; margin: auto 0 0; border-radius: 1rem 1rem 0 0; }
  dialog > div, dialog > .head { padding-inline: 1.25rem; }
  .topic { grid-template-columns: 1fr; }
  form .primary { flex: 1; }
}
@media (max-height: 27rem) {
  dialog > .head, form > .row { position: static; }
}
@media (forced-colors: active) {
  .choices, .primary, [aria-pressed="true"], .night i { forced-color-adjust: none; background: Highlight; color: HighlightText;
    --accent: Highlight; --on-accent: HighlightText; --rule: Highlight; --ink: HighlightText; --paper: Canvas; }
  .choices { color: CanvasText; }
  .night { border: 1px solid; }
  .close { border-color: Canvas; }
}`;

let made;

/** One for all elements of a page. */
export function sheet() {
  if (!made) {
    made = new CSSStyleSheet();
    // Safari before 17.5 has no light-dark(): there it is always light.
    made.replaceSync(CSS.supports("color", "light-dark(#fff, #000)") ? STYLE : STYLE.replace(/light-dark\((.+?),.+?\)/g, "$1"));
  }
  return made;
}
