// How our elements look. A constructed sheet needs no 'unsafe-inline'; the variables are a site's to set.

const CSS = `
:host { display: block; color-scheme: inherit;
  --accent: var(--tocsin-accent, light-dark(#9c2a1c, #f0927f)); --on-accent: var(--tocsin-on-accent, light-dark(#fff8f3, #2b0e08));
  --paper: var(--tocsin-paper, light-dark(#fffdf9, #211d1a)); --ink: var(--tocsin-ink, light-dark(#1e1a16, #f2ece3));
  --muted: var(--tocsin-muted, light-dark(#675d52, #b0a598)); --rule: var(--tocsin-rule, light-dark(#dfd6c8, #3a342e));
  --edge: var(--tocsin-edge, light-dark(#8b7f71, #857a6e)); --bad: var(--tocsin-bad, light-dark(#a11d16, #ff9c8f)); --good: var(--tocsin-good, light-dark(#1c6844, #7fcb9f));
  --radius: var(--tocsin-radius, 10px); font-family: var(--tocsin-font, inherit); color: var(--ink); }
:host([hidden]), [hidden] { display: none !important; }
:host(tocsin-follow), :host(tocsin-subscribe) { display: inline-block; max-width: 100%; vertical-align: middle; }
* { box-sizing: border-box; }
.box { line-height: 1.45; text-align: start; }
p, ul, ol, h2 { margin: 0 0 .75rem; }
.row { display: flex; flex-wrap: wrap; gap: .5rem .75rem; align-items: center; }
.row > p { margin: 0; }
small, .note { font-size: .875rem; color: var(--muted); }
.note:empty, .problem:empty, .status:empty { display: none; }
.on { font-weight: 600; }
.on::before { content: "✓ "; color: var(--good); }
:focus-visible { outline: 3px solid var(--tocsin-focus, light-dark(#1a5fb4, #8cc0ff)); outline-offset: 2px; }
h2:focus, .status:focus { outline: none; }

button { font: inherit; font-weight: 600; min-height: 2.75rem; padding: .5rem 1.125rem; border: 1px solid var(--edge); border-radius: var(--tocsin-button-radius, 999px); background: transparent; color: var(--ink); cursor: pointer; }
button:hover { border-color: var(--ink); }
button.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
button.primary:hover { filter: brightness(.92); }
button.small { min-height: 2.25rem; padding: .25rem .875rem; font-size: .9375rem; font-weight: 500; }
button.quiet { border-color: transparent; color: var(--muted); text-decoration: underline; text-underline-offset: .2em; }
button[aria-disabled="true"] { opacity: .6; cursor: progress; }
.toggle { min-height: 2.5rem; padding: .25rem 1rem; }
.toggle[aria-pressed="true"] { background: var(--ink); border-color: var(--ink); color: var(--paper); }
.toggle[aria-pressed="true"]::before { content: "✓ "; }
a { color: var(--accent); }
summary { cursor: pointer; font-weight: 600; min-height: 2rem; }
details { max-width: 34rem; }

dialog { width: min(36rem, 100vw - 2rem); max-height: min(46rem, 100dvh - 2rem); padding: 0; border: 1px solid var(--rule); border-radius: var(--radius); background: var(--paper); color: var(--ink); box-shadow: 0 1rem 4rem rgb(0 0 0 / 30%); overscroll-behavior: contain; }
dialog::backdrop { background: rgb(20 15 10 / 55%); }
.head { position: sticky; top: 0; z-index: 1; display: flex; align-items: start; justify-content: space-between; gap: 1rem; padding: 1.25rem 1.5rem .5rem; background: var(--paper); }
h2 { margin: 0; font-family: var(--tocsin-heading-font, inherit); font-size: 1.5rem; line-height: 1.2; text-wrap: balance; }
.body { padding: 0 1.5rem 1.5rem; }
.close { flex: none; min-height: 0; width: 2.25rem; height: 2.25rem; padding: 0; border-color: transparent; font-size: 1.5rem; line-height: 1; font-weight: 400; }
form .row { margin: 1rem 0 .5rem; }

fieldset { min-width: 0; margin: 0; padding: 1.5rem 0; border: 0; border-top: 1px solid var(--rule); }
fieldset:first-child { border-top: 0; padding-top: 0; }
legend { float: inline-start; width: 100%; margin: 0 0 .75rem; padding: 0; font-family: var(--tocsin-heading-font, inherit); font-size: 1.25rem; font-weight: 700; }
legend + * { clear: both; }
fieldset > :last-child { margin-bottom: 0; }
.topics { border-bottom: 1px solid var(--rule); margin-bottom: .75rem; }
.topic { display: grid; grid-template-columns: 1fr minmax(0, 21rem); gap: .375rem 1rem; align-items: center; padding: .75rem 0; border-top: 1px solid var(--rule); }
fieldset .topic:first-child { border-top: 0; padding-top: .25rem; }
.topic small { display: block; line-height: 1.3; }
.choices { display: grid; grid-auto-flow: column; grid-auto-columns: minmax(0, 1fr); border: 1px solid var(--edge); border-radius: var(--radius); overflow: hidden; }
.choices label { position: relative; display: flex; flex-direction: column; justify-content: center; min-height: 3.25rem; padding: .375rem .25rem; text-align: center; cursor: pointer; font-size: .9375rem; line-height: 1.2; }
.choices label + label { border-inline-start: 1px solid var(--rule); }
.choices b { font-weight: 600; }
.choices small { font-size: .75rem; }
.choices input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0; cursor: pointer; }
.choices label:has(:checked) { background: var(--accent); color: var(--on-accent); }
.choices label:has(:checked) small { color: inherit; }
.choices label:has([value="off"]:checked) { background: var(--rule); color: var(--ink); }
.choices label:has(:focus-visible) { outline: 3px solid var(--tocsin-focus, light-dark(#1a5fb4, #8cc0ff)); outline-offset: -3px; }

.check { display: flex; gap: .625rem; align-items: start; padding: .375rem 0; cursor: pointer; }
[type="checkbox"] { flex: none; width: 1.25rem; height: 1.25rem; margin: .1rem 0 0; accent-color: var(--accent); }
.switch { font-weight: 600; }
.field { display: inline-flex; flex-direction: column; gap: .25rem; font-size: .875rem; color: var(--muted); max-width: 100%; }
select, [type="time"] { font: inherit; font-size: 1rem; min-height: 2.75rem; min-width: 0; max-width: 100%; padding: .375rem .625rem; border: 1px solid var(--edge); border-radius: calc(var(--radius) * .6); background: var(--paper); color: var(--ink); }
.details .row { padding: .25rem 0 .5rem; align-items: end; }
.night { height: .75rem; margin: 1rem 0 .5rem; border-radius: 999px; background: color-mix(in srgb, var(--accent) 28%, transparent); overflow: hidden; }
.night i { display: block; height: 100%; width: var(--for); margin-inline-start: var(--from); border-radius: 999px; background: light-dark(#2b3350, #8d99c9); }
.tonight { font-size: .9375rem; }
ul { list-style: none; padding: 0; }
li { display: flex; justify-content: space-between; align-items: center; gap: 1rem; padding: .375rem 0; border-bottom: 1px solid var(--rule); }
ol { padding-inline-start: 1.375rem; }
ol li { display: list-item; border: 0; }
li .small { min-height: 0; width: 2.25rem; height: 2.25rem; padding: 0; font-size: 1.25rem; border-color: transparent; }
.problem { color: var(--bad); font-weight: 600; }
.status { position: sticky; bottom: 0; margin: 0; padding: .625rem 0; background: var(--paper); border-top: 1px solid var(--rule); font-size: .9375rem; color: var(--muted); }
.status.done { color: var(--good); font-weight: 600; }
.status.done::before { content: "✓ "; }
.status.failed { color: var(--bad); font-weight: 600; }

@media (max-width: 40rem) {
  dialog { width: 100vw; max-width: 100vw; max-height: 92dvh; margin-block-end: 0; margin-inline: 0; border-width: 1px 0 0; border-radius: calc(var(--radius) * 1.6) calc(var(--radius) * 1.6) 0 0; }
  .head { padding-inline: 1.25rem; } .body { padding-inline: 1.25rem; }
  .topic { grid-template-columns: 1fr; }
  form .primary { width: 100%; }
}
@media (prefers-reduced-motion: no-preference) { button, .choices label { transition: background-color .15s, border-color .15s, color .15s; } }
@media (forced-colors: active) {
  .choices label:has(:checked), .choices label:has([value="off"]:checked), .toggle[aria-pressed="true"], .night i { forced-color-adjust: none; background: Highlight; color: HighlightText; }
  .night { border: 1px solid CanvasText; }
}`;

let made;

/** One for all elements of a page. */
export function sheet() {
  if (!made) {
    made = new CSSStyleSheet();
    made.replaceSync(CSS);
  }
  return made;
}
