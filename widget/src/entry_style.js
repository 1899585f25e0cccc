/** The style of what is there before the panel. */
export const ENTRY_STYLE = `
:host { all: initial; color-scheme: light;
  --bg: var(--ragbot-background, #fff); --fg: var(--ragbot-color, #1c1e21); --soft: var(--ragbot-soft, #f1f3f5);
  --line: var(--ragbot-line, #c9ced4); --quiet: var(--ragbot-quiet, #565c64); --accent: var(--ragbot-accent, #1d5fbf);
  --on-accent: var(--ragbot-on-accent, #fff); --mark: var(--ragbot-mark, #ffe58a); --on-mark: #1c1e21;
  --z: var(--ragbot-z-index, 2147483000);
  font: 16px/1.5 var(--ragbot-font, system-ui, sans-serif); color: var(--fg); }
:host([data-theme=dark]) { color-scheme: dark;
  --bg: var(--ragbot-background, #1b1d20); --fg: var(--ragbot-color, #e8eaed); --soft: var(--ragbot-soft, #2a2d31);
  --line: var(--ragbot-line, #4a4f56); --quiet: var(--ragbot-quiet, #b0b6bd); --accent: var(--ragbot-accent, #8ab8ff);
  --on-accent: var(--ragbot-on-accent, #10233f); --mark: var(--ragbot-mark, #6b5a12); --on-mark: #fff; }
[hidden] { display: none !important; }
button { font: inherit; cursor: pointer; min-height: 28px; min-width: 28px; }
.launch, .offer { position: fixed; z-index: var(--z); border: 1px solid transparent; border-radius: 999px;
  background: var(--accent); color: var(--on-accent); box-shadow: 0 2px 10px #0004; text-decoration: none; }
.launch { inset-block-end: 20px; right: 20px; padding: 10px 18px; }
:host([data-left]) .launch { right: auto; left: 20px; }
.offer { padding: 4px 12px; font-size: 14px; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
@media print { :host { display: none; } }
`;
