/** Find cited words in the page and light them up. */

const SKIPPED = 'script, style, noscript, template, button, ragbot-widget, textarea, select, .linenos, .hash-link, .headerlink';
const ALIKE = { '‘': "'", '’': "'", '‚': "'", '‛': "'", '“': '"', '”': '"', '„': '"', '«': '"', '»': '"', '–': '-', '—': '-', '‑': '-', '−': '-', '…': '...' };
const EVERYTHING = /[^\s\u00ad\u200b-\u200f\ufeff]/u;
const LETTERS = /[\p{L}\p{M}\p{N}]/u;
// Between these stands what a page shows as it is cited. KaTeX and MathJax put other signs in the place of a formula.
const BREAKS = /\n|(?<=[.!?。])\s+|\$+[^$\n]+\$+|\\\([^\n]*?\\\)/;

/** Keep the characters that match, in a common spelling; `places[i]` is where the i-th one was. */
function squeeze(text, kept) {
  const spellings = new Map(); // A page may have a million characters, of some hundred kinds.
  let squeezed = '';
  const places = [];
  let at = 0;
  for (const sign of text) {
    let spelled = spellings.get(sign);
    if (spelled === undefined) {
      spelled = kept.test(sign) ? (ALIKE[sign] ?? sign.normalize('NFKC')).toLowerCase() : '';
      spellings.set(sign, spelled);
    }
    squeezed += spelled;
    for (let i = 0; i < spelled.length; i += 1) places.push(at);
    at += sign.length;
  }
  return { squeezed, places };
}

/** Read the texts below an element: one long text, and the node of each part. */
function textsOf(root) {
  const parts = [];
  let text = '';
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT, {
    acceptNode: (one) => (one.nodeType === 1 && one.matches(SKIPPED) ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT),
  });
  while (walker.nextNode()) {
    if (walker.currentNode.nodeType !== 3) continue;
    parts.push({ node: walker.currentNode, start: text.length });
    text += walker.currentNode.data;
  }
  return { text, parts };
}

/** Return the index of the first part, in the order of the page, from which on something holds; how many there are if it never does. */
function firstOf(parts, holds) {
  let [low, high] = [0, parts.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(parts[middle])) high = middle;
    else low = middle + 1;
  }
  return low;
}

function rangeOf(parts, start, end) {
  const partOf = (offset) => parts[firstOf(parts, (part) => part.start > offset) - 1];
  const [first, last] = [partOf(start), partOf(end - 1)];
  const range = document.createRange();
  range.setStart(first.node, start - first.start);
  range.setEnd(last.node, end - last.start);
  return range;
}

/** Return where the section of an anchor begins in the text; 0 if there is none. */
function beginOf(anchor, parts) {
  const element = anchor && (document.getElementById(anchor) ?? document.getElementsByName(anchor)[0]);
  if (!element) return 0;
  // What an element holds follows it, too.
  const first = firstOf(parts, ({ node }) => element.compareDocumentPosition(node) & Node.DOCUMENT_POSITION_FOLLOWING);
  return parts[first]?.start ?? 0;
}

/** Return what finds words in a text: {start, end} of the first place after `from`, else of the first one of all, or null. */
function finderIn(text, from) {
  const pages = new Map(); // The text is squeezed once for all words.
  return (wanted) => {
    for (const kept of [EVERYTHING, LETTERS]) {
      const needle = squeeze(wanted, kept).squeezed;
      if (!needle) continue;
      if (!pages.has(kept)) pages.set(kept, squeeze(text, kept));
      const { squeezed, places } = pages.get(kept);
      const begin = places.findIndex((place) => place >= from);
      let at = begin < 0 ? -1 : squeezed.indexOf(needle, begin);
      if (at < 0) at = squeezed.indexOf(needle);
      if (at >= 0) {
        const end = places[at + needle.length - 1];
        return { start: places[at], end: end + String.fromCodePoint(text.codePointAt(end)).length };
      }
    }
    return null;
  };
}

/**
 * Find words on the page, near an anchor. Returns ranges; none if they are not there.
 *
 * Words that are not there as a whole, such as those of a list with a formula, are found line by line, and those around a formula.
 */
export function findOnPage(wanted, anchor = '') {
  const roots = [...document.querySelectorAll('main, article, [role=main]')].slice(0, 1);
  for (const root of [...roots, document.body]) {
    const { text, parts } = textsOf(root);
    if (!parts.length) continue;
    const find = finderIn(text, beginOf(anchor, parts));
    const whole = find(wanted);
    if (whole) return [rangeOf(parts, whole.start, whole.end)];
    const pieces = wanted.split(BREAKS).filter((piece) => piece.trim().length > 11);
    const found = pieces.map(find).filter(Boolean);
    if (found.length * 2 >= pieces.length && found.length) return found.map(({ start, end }) => rangeOf(parts, start, end));
  }
  return [];
}

const HIGHLIGHT_STYLE = `@media screen { ::highlight(ragbot) { background-color: #ffe066; color: #1c1e21; } }
@media screen and (forced-colors: active) { ::highlight(ragbot) { background-color: Mark; color: MarkText; } }`;
const LIT = { backgroundColor: '#ffe066', color: '#1c1e21' };
let sheet = null;
let animations = [];

/** Return what shows a hidden element: the tab or the button that names it, or that it names, else the tab at its place among as many. */
function switchOf(hidden) {
  const at = `[aria-controls="${CSS.escape(hidden.id || '-')}"]`;
  const label = document.getElementById(hidden.getAttribute('aria-labelledby'));
  const named = label?.getAttribute('role') === 'tab' ? label : document.querySelector(`[role=tab]${at}, [aria-expanded=false]${at}`);
  if (named) return named;
  const panels = [...hidden.parentElement.children].filter((one) => !one.matches('input, label, [role=tablist]'));
  for (const around of [hidden.parentElement, hidden.parentElement.parentElement]) {
    const tabs = [...(around?.querySelectorAll('[role=tab], input[type=radio]') ?? [])].filter((tab) => !panels.some((one) => one.contains(tab)));
    if (tabs.length === panels.length) return tabs[panels.indexOf(hidden)];
  }
  return null;
}

/** Open the closed details around an element, and press the tabs of the panels around it that are not shown. */
function openAround(element) {
  for (let one = element; one !== document.body && one; one = one.parentElement) {
    if (one.localName === 'details') one.open = true;
    if (getComputedStyle(one).display === 'none') switchOf(one)?.click();
  }
}

/** Return an element, or what is shown of those around it. */
function shownAround(element) {
  let one = element;
  while (!one.getClientRects().length && one.parentElement) one = one.parentElement;
  return one;
}

/** Return whether an element scrolls what it holds, at least for a script. */
function isScroller(element) {
  const isFull = element.scrollHeight > element.clientHeight || element.scrollWidth > element.clientWidth;
  return isFull && !/visible|clip/.test(getComputedStyle(element).overflow);
}

/** Scroll what words are in until they begin in the middle, or higher where they are long: their element may be far taller than the window. */
export function scrollToWords(range) {
  const block = shownAround(range.startContainer?.parentElement ?? range);
  const words = range.getClientRects().length ? range : block;
  const page = document.scrollingElement;
  const isSmooth = !matchMedia('(prefers-reduced-motion: reduce)').matches;
  for (let one = block; one; one = one.parentElement) {
    if (one !== page && !isScroller(one)) continue;
    const box = words.getBoundingClientRect();
    const frame = one === page ? { top: 0, left: 0, right: innerWidth, height: innerHeight } : one.getBoundingClientRect();
    const top = box.top - frame.top - (frame.height - Math.min(box.height, frame.height / 2)) / 2;
    const left = Math.min(box.left - frame.left, Math.max(0, box.right - frame.right));
    one.scrollBy({ top, left, behavior: one === page && isSmooth ? 'smooth' : 'instant' });
  }
}

/** Light up ranges and scroll to the first one, or to where it will be: not each tab says which panel is its own. */
export function lightUp(ranges) {
  for (const { startContainer } of ranges) openAround(startContainer.parentElement);
  scrollToWords(ranges[0]);
  putOut();
  if (!('highlights' in CSS)) {
    lightBlocks(ranges);
    return;
  }
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(HIGHLIGHT_STYLE);
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  }
  CSS.highlights.set('ragbot', new Highlight(...ranges));
}

/** Light up the blocks of the words in browsers that cannot light up words: neither nodes nor styles of the page change. */
function lightBlocks(ranges) {
  const blocks = new Set(ranges.map(({ startContainer }) => startContainer.parentElement));
  animations = [...blocks].map((block) => block.animate([LIT, LIT], { duration: 1, fill: 'forwards' }));
}

export function putOut() {
  for (const animation of animations.splice(0)) animation.cancel();
  if ('highlights' in CSS) CSS.highlights.delete('ragbot');
}

/** Return the first words that are lit up, or their block, while they are in the page; else null. */
export function firstLit() {
  const [range] = CSS.highlights?.get('ragbot') ?? [];
  const block = animations[0]?.effect.target;
  if (range?.startContainer.isConnected && range.toString()) return range;
  return block?.isConnected ? block : null;
}
