/** The style of the button and of the offer at a selection: no more than these need. */

// In the page's own typeface: another one would have to be looked up and measured for three words.
// A host without a box is no item of a body that is a grid or a flex box.
export const HOST_TEXT = 'display: contents; writing-mode: horizontal-tb; color-scheme: light; font: 16px/1.5 sans-serif; font-family: var(--ragbot-font, inherit);';

export const ENTRY_STYLE = `
:host { ${HOST_TEXT} --accent: var(--ragbot-accent, #1d5fbf); --on-accent: var(--ragbot-on-accent, #fff); --z: var(--ragbot-z-index, 2147483000); }
${inDark('color-scheme: dark; --accent: var(--ragbot-accent, #8ab8ff); --on-accent: var(--ragbot-on-accent, #10233f);')}
[hidden] { display: none !important; }
button { font: inherit; cursor: pointer; min-height: 28px; min-width: 28px; }
.launch, .offer { position: fixed; z-index: var(--z); border: 1px solid transparent; border-radius: 999px;
  background: var(--accent); color: var(--on-accent); box-shadow: 0 2px 10px #0004; text-decoration: none; }
.launch { bottom: var(--ragbot-offset, 20px); right: 20px; padding: 10px 18px; }
:host([data-left]) .launch { right: auto; left: 20px; }
.launch[aria-busy] { opacity: .6; cursor: progress; transition: opacity .2s .3s; }
.offer { padding: 4px 12px; font-size: 14px; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
@media print { :host(:not([data-page])) { display: none !important; } }
`;

/** Return rules of the host for a page that says it is dark, and for one that leaves it to a dark system. */
export function inDark(rules) {
  return `:host([data-theme=dark]) { ${rules} } @media (prefers-color-scheme: dark) { :host(:not([data-theme])) { ${rules} } }`;
}
