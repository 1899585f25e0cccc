/** The style of the panel: beside the text on wide screens, a sheet on phones. */
import { HOST_TEXT, inDark } from './entry_style.js';

export const PANEL_STYLE = `
:host { all: initial; ${HOST_TEXT} --bg: var(--ragbot-background, #fff); --fg: var(--ragbot-color, #1c1e21); --soft: var(--ragbot-soft, #f1f3f5);
  --line: var(--ragbot-line, #c9ced4); --quiet: var(--ragbot-quiet, #565c64); --mark: var(--ragbot-mark, #ffe58a); --on-mark: #1c1e21; color: var(--fg); }
${inDark(`--bg: var(--ragbot-background, #1b1d20); --fg: var(--ragbot-color, #e8eaed); --soft: var(--ragbot-soft, #2a2d31);
  --line: var(--ragbot-line, #4a4f56); --quiet: var(--ragbot-quiet, #b0b6bd); --mark: var(--ragbot-mark, #6b5a12); --on-mark: #fff;`)}
.panel { position: fixed; z-index: var(--z); inset-block: 0; right: 0; width: min(var(--ragbot-width, 420px), 100%);
  display: flex; flex-direction: column; background: var(--bg); color: var(--fg); border-left: 1px solid var(--line);
  box-shadow: -4px 0 24px #0003; overflow-wrap: anywhere; box-sizing: border-box; }
:host([data-left]) .panel { right: auto; left: 0; border-left: 0; border-right: 1px solid var(--line); }
.panel.page { position: static; width: auto; min-height: 90vh; max-width: 46rem; margin: 0 auto; border: 0; box-shadow: none; }
.panel *, .quote * { box-sizing: border-box; }
/* A site's rule for all elements holds for the host, too, and what is inherited would come in. */
.panel, .quote { line-height: 1.5; font-style: normal; font-weight: 400; letter-spacing: normal; word-spacing: normal; text-align: start; text-indent: 0; text-transform: none; white-space: normal; }
.head { display: flex; align-items: center; gap: 8px; padding: 10px 14px; border-block-end: 1px solid var(--line); }
h2 { font-size: 17px; margin: 0; flex: 1; } h2 a { color: inherit; }
h3 { font-size: 16px; margin: 0 0 8px; } h4, h5, h6 { font-size: 15px; margin: 12px 0 6px; }
.talk { flex: 1; min-height: 36px; overflow: auto; padding: 14px; overscroll-behavior: contain; }
.exchange { padding-block-end: 16px; margin-block-end: 16px; border-block-end: 1px solid var(--line); }
.asked { background: var(--soft); padding: 8px 12px; border-radius: 10px; }
.chosen { font-size: 14px; color: var(--quiet); max-height: 6em; overflow: auto; } blockquote.chosen, .chip span { white-space: pre-wrap; }
.answer p, .answer ul, .answer ol, .answer table { margin: 0 0 10px; }
.answer ul, .answer ol { padding-inline-start: 24px; }
blockquote { margin: 0 0 10px; padding-inline-start: 10px; border-inline-start: 3px solid var(--line); white-space: pre-line; }
a { color: var(--accent); }
.mark { display: inline-block; min-width: 24px; height: 24px; line-height: 22px; padding: 0 4px; margin: 0 2px; border: 1px solid var(--line);
  border-radius: 8px; text-align: center; font-size: 12px; text-decoration: none; background: var(--soft); color: var(--accent); }
.code { position: relative; } .code .small { user-select: none; position: absolute; inset-block-start: 4px; right: 4px; } .code pre { padding-block-start: 34px; }
pre { background: var(--soft); padding: 10px 12px; border-radius: 8px; overflow: auto; margin: 0 0 10px; font-size: 14px; }
code { font-family: var(--ragbot-mono, ui-monospace, monospace); background: var(--soft); border-radius: 4px; padding: 0 3px; }
pre code { padding: 0; background: none; }
.scroller { overflow: auto; } table { border-collapse: collapse; font-size: 14px; } td, th { border: 1px solid var(--line); padding: 4px 8px; text-align: start; overflow-wrap: normal; }
.state, .privacy, .intro, .note { color: var(--quiet); margin: 0 0 10px; } .note { margin: 6px 0 0; } .privacy { font-size: 13px; margin: 6px 0 0; }
.tools { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; }
.small, .head button, .examples button { border: 1px solid var(--line); border-radius: 8px; background: var(--bg); color: var(--fg); padding: 2px 10px; font-size: 14px; }
.small:disabled { opacity: .6; cursor: default; }
.small[aria-pressed=true] { background: var(--accent); color: var(--on-accent); border-color: var(--accent); }
.examples { display: flex; flex-direction: column; align-items: start; gap: 8px; margin: 0 0 12px; }
.examples button { text-align: start; padding: 6px 12px; }
.reason { flex-basis: 100%; display: flex; gap: 6px; align-items: end; }
form.ask { min-height: 64px; overflow: auto; padding: 10px 14px 14px; border-block-end: 0; border-block-start: 1px solid var(--line); }
/* At a large zoom the selection is scrolled, and the field stays. */
@media (min-height: 400px) { .page form.ask { position: sticky; bottom: 0; background: var(--bg); } }
.row { display: flex; gap: 8px; align-items: end; position: sticky; bottom: 0; background: var(--bg); }
textarea { flex: 1; width: 100%; min-width: 0; resize: none; font: inherit; color: inherit; background: var(--bg); border: 1px solid var(--quiet); border-radius: 8px; padding: 8px 10px; max-height: 30vh; field-sizing: content; }
textarea::placeholder { color: var(--quiet); opacity: 1; }
.send { border: 1px solid transparent; border-radius: 8px; background: var(--accent); color: var(--on-accent); padding: 8px 14px; }
.chip { display: flex; gap: 6px; align-items: start; background: var(--soft); border: 1px solid var(--line); border-radius: 8px; padding: 6px 10px; margin: 0 0 8px; font-size: 13px; }
.chip p { flex: 1; margin: 0; max-height: 5.5em; overflow: hidden; } .chip b { display: block; }
.chip button { border: 0; background: none; color: inherit; }
.quote { position: fixed; box-sizing: border-box; z-index: calc(var(--z) + 1); width: min(360px, calc(100% - 16px)); max-height: 40vh; overflow: auto; background: var(--bg); color: var(--fg);
  border: 1px solid var(--line); border-radius: 10px; box-shadow: 0 4px 18px #0004; padding: 10px 12px; font-size: 14px; }
.quote strong { font-size: 13px; color: var(--quiet); font-weight: 600; } .quote blockquote { margin: 6px 0 0; }
mark { background: var(--mark); color: var(--on-mark); }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (max-width: 640px) { .panel:not(.page) { width: 100%; inset-block: auto 0; height: min(85dvh, 100dvh); border: 0; border-block-start: 1px solid var(--line); border-radius: 14px 14px 0 0; } }
@media (max-width: 640px) and (max-height: 400px) { .panel:not(.page) { height: 100dvh; border-radius: 0; } .head { padding-block: 4px; } }
@media (prefers-reduced-motion: no-preference) { .panel:not(.page) { animation: in .15s ease-out; } @keyframes in { from { opacity: 0; } } }
@media print { .panel { --bg: #fff; --fg: #000; --soft: #fff; --quiet: #333; --accent: #000; min-height: 0; } form.ask, .tools, .head button, .code .small, .quote { display: none; }
  .talk { overflow: visible; } .code pre { padding-block-start: 10px; border: 1px solid var(--line); white-space: pre-wrap; } }
@media (forced-colors: active) { .mark, .send, .launch, .offer { border-color: ButtonText; } .small[aria-pressed=true] { forced-color-adjust: none; background: Highlight; color: HighlightText; } }
`;
