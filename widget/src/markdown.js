/**
 * Turn an answer's Markdown into nodes. HTML in it stays text, but for `<br>`, `<kbd>`, `<sub>` and `<sup>`.
 *
 * The caller makes what leads somewhere or acts: `links.to(address)` and `links.cite(number)` return a link, or null;
 * `links.code(made)` and `links.table(made)` what stands around these. `links.heading` is the headings' element.
 */

const DEPTH = 6; // Quotes and lists within each other; deeper ones are shown as they are written.

function node(tag, ...children) {
  const made = document.createElement(tag);
  made.append(...children);
  return made;
}

/* ---- Inline ---- */

// A formula is TeX, in which no sign is emphasis or an escape. A line may end within it, a paragraph may not, and no block begins there.
const LINE_END = '\\n(?![ \\t>]*(?:\\r?\\n|[-*+][ \\t]|\\d{1,9}[.)][ \\t]|#|\\||`{3}|~{3}))';
// Code, a link and a tag stand in no formula, although a dollar may stand on both sides of them.
const SIGN = `[^\\\\$\`\\n\\]<]|\\](?!\\()|<(?!(?:[A-Za-z][\\w:.-]*(?:[\\s/][^<>]{0,2000})?>|[/!?]))|${LINE_END}`;
// What nobody escapes in words: `\(x\,y\)` is a formula, `\[optional\]` is none.
const TEX = '\\\\[A-Za-z,;:!\\{\\}\\\\\\|]|\\^|_\\{';
const IN_BRACKETS = `(?=(?:(?!${TEX})(?:${SIGN}|\\$))*(?:${TEX}))(?:${SIGN}|\\$|\\\\[^\\n()\\[\\]])+`;
// A dollar opens a formula before a sign, and closes one behind a sign: `$5 and $6` holds none, nor does `$HOME or $PATH`.
const FORMULA = [
  `\\$\\$(?:${SIGN}|\\\\[^\\n]|\\$(?!\\$))+\\$\\$`,
  `\\$(?!\\s)(?:${SIGN}|\\\\[^\\n])+(?<!\\s)\\$(?![A-Za-z0-9_\\{])`,
  '\\$(?:[^\\\\$`\\s\\]<\\|]|\\\\\\S)+\\$(?!\\d)',
  `\\\\\\(${IN_BRACKETS}\\\\\\)`,
  `\\\\\\[${IN_BRACKETS}\\\\\\]`,
].join('|');

const INLINE = new RegExp(
  [
    `(?<!\\\\)(?<formula>${FORMULA})`,
    '(?<escaped>\\\\[!-/:-@[-`{-~])',
    '(?<!`)(?<fence>`+)(?!`)(?<code>[^]*?[^`])\\k<fence>(?!`)',
    '!?\\[(?<label>(?:\\\\.|[^\\[\\]\\\\\\n]|\\[[^\\]\\n]*\\])*)\\]\\((?:<(?<far>[^<>\\n]*)>|(?<near>[^\\s()<>]*(?:\\([^\\s()]*\\)[^\\s()]*)*))(?:\\s+"[^"\\n]*")?\\)',
    '\\[(?<marks>\\d{1,3}(?:\\s*,\\s*\\d{1,3})*)\\]',
    '\\*{3}(?=[^\\s*])(?<both>[^*]*?[^\\s*])\\*{3}',
    '(?:\\*\\*(?=\\S)(?<strong>[^]*?\\S)\\*\\*|(?<![\\p{L}\\p{N}_])__(?=\\S)(?<strongUnder>[^]*?\\S)__(?![\\p{L}\\p{N}_]))',
    '~~(?=\\S)(?<deleted>[^]*?\\S)~~',
    '(?<![\\p{L}\\p{N}_])_(?=\\S)(?<under>[^_]*?\\S)_(?![\\p{L}\\p{N}_])',
    '\\*(?=[^\\s*])(?<star>(?:[^*]|\\*\\*[^*]+\\*\\*)+?)(?<!\\s)\\*(?!\\*)',
    '(?<br> {2,}\\n|\\\\\\n|<br ?/?>)',
    '<(?<tag>kbd|sub|sup)>(?<tagged>[^<>]*)</\\k<tag>>',
    '(?<entity>&(?:#\\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});)',
  ].join('|'),
  'gu',
);

function inline(text, links, depth = 0) {
  if (depth > DEPTH) return [text];
  const made = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    made.push(text.slice(from, match.index), ...inlineNodes(match, links, depth + 1));
    from = match.index + match[0].length;
  }
  made.push(text.slice(from));
  return made;
}

function inlineNodes({ 0: written, groups: found }, links, depth) {
  const within = (text) => inline(text, links, depth);
  if (found.formula) return [found.formula.replaceAll('&lt;', '<')]; // The sign is not to begin a tag.
  if (found.escaped) return [found.escaped[1]];
  if (found.code !== undefined) return [node('code', found.code.replace(/^ (.*) $/s, '$1'))];
  if (found.label !== undefined) {
    if (written.startsWith('!')) return [node('em', ...within(found.label))];
    const link = links.to(found.far ?? found.near);
    const label = within(found.label);
    if (!link) return label;
    link.append(...label);
    return [link];
  }
  if (found.marks) {
    const cited = found.marks.split(',').map((number) => links.cite(Number(number)));
    return cited.every(Boolean) ? cited : [written];
  }
  if (found.both) return [node('em', node('strong', ...within(found.both)))];
  if (found.strong ?? found.strongUnder) return [node('strong', ...within(found.strong ?? found.strongUnder))];
  if (found.deleted) return [node('del', ...within(found.deleted))];
  if (found.br) return [node('br')];
  if (found.tag) return [node(found.tag, found.tagged)];
  if (found.entity) return [signOf(found.entity)];
  return [node('em', ...within(found.under ?? found.star))];
}

/** Return the sign that an entity (`&deg;`) stands for. The text is one entity and nothing else. */
function signOf(entity) {
  try {
    return new DOMParser().parseFromString(entity, 'text/html').documentElement.textContent;
  } catch {
    return entity; // The page's policy (`require-trusted-types-for`) allows no parser.
  }
}

/* ---- Blocks ---- */

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([\w+#.-]*)/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*$/;
const RULE = /^ {0,3}([-*_])(\s*\1){2,}\s*$/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])(\s+|$)/;
const QUOTE = /^ {0,3}>/;
const TASK = /^\[([ xX])\] /;
const DELIMITERS = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;

/** Split a text into its top blocks: {raw, kind}, in order. Their lines together are the text's. */
export function blocksOf(text) {
  const lines = text.split(/\r?\n/);
  const blocks = [];
  for (let at = 0; at < lines.length; ) {
    if (!lines[at].trim()) {
      at += 1;
      continue;
    }
    const [kind, end] = blockAt(lines, at);
    blocks.push({ kind, raw: lines.slice(at, end).join('\n') });
    at = end;
  }
  return blocks;
}

function blockAt(lines, at) {
  const line = lines[at];
  const until = (isOver) => {
    let end = at + 1;
    while (end < lines.length && !isOver(lines[end], end)) end += 1;
    return end;
  };
  const fence = FENCE.exec(line);
  if (fence) {
    const closing = new RegExp(`^ {0,3}${fence[1][0]}{${fence[1].length},}\\s*$`);
    return ['code', Math.min(lines.length, until((one) => closing.test(one)) + 1)];
  }
  if (HEADING.test(line)) return ['heading', at + 1];
  if (RULE.test(line)) return ['rule', at + 1];
  if (QUOTE.test(line)) return ['quote', until((one) => !one.trim() || !QUOTE.test(one))];
  if (ITEM.test(line)) {
    const [first, , sign] = ITEM.exec(line);
    const list = { ordered: /\d/.test(sign), width: first.length };
    return ['list', until((one, end) => listEnds(lines, end, list))];
  }
  if (beginsTable(lines, at)) {
    return ['table', until((one) => !one.includes('|'))];
  }
  return ['paragraph', until((one, end) => !one.trim() || FENCE.test(one) || HEADING.test(one) || RULE.test(one) || QUOTE.test(one) || /^ {0,3}([-*+]|1[.)])\s/.test(one)
    || (beginsTable(lines, end) && cells(one).length === cells(lines[end + 1]).length))];
}

function beginsTable(lines, at) {
  const [head, delimiters] = [lines[at], lines[at + 1] ?? ''];
  return head.includes('|') && delimiters.includes('-') && DELIMITERS.test(delimiters);
}

/** Return whether a list ends before a line. `list.width` is how far the text of its last item is indented: what is as far belongs to that. */
function listEnds(lines, at, list) {
  const { ordered } = list;
  const line = lines[at];
  const item = ITEM.exec(line);
  if (item && item[1].length >= list.width) return false;
  if (item) list.width = item[0].length;
  if (item) return /\d/.test(item[2]) !== ordered || RULE.test(line);
  if (!line.trim()) {
    const next = lines.slice(at + 1).find((one) => one.trim());
    return next === undefined || !(/^\s{2,}/.test(next) || (ITEM.test(next) && /\d/.test(ITEM.exec(next)[2]) === ordered));
  }
  if (/^\s{2,}/.test(line) || lines[at - 1].trim()) return HEADING.test(line) || FENCE.test(line) && !/^\s{2,}/.test(line);
  return true;
}

const MAKERS = { code, heading, rule: () => node('hr'), quote, list, table, paragraph };

/** Return the node of a block. */
export function nodeOf(block, links, depth = 0) {
  if (depth > DEPTH) return node('p', block.raw);
  return MAKERS[block.kind](block.raw, links, depth);
}

function nodesOf(text, links, depth) {
  return blocksOf(text).map((block) => nodeOf(block, links, depth));
}

function code(raw, links) {
  const [first, ...lines] = raw.split('\n');
  const [, fence] = FENCE.exec(first);
  if (lines.length && lines.at(-1).trim().startsWith(fence)) lines.pop();
  return links.code(node('code', lines.join('\n')));
}

function heading(raw, links) {
  // One level for all: an answer begins at any, and none of the page's outline may be skipped.
  return node(links.heading ?? 'h4', ...inline(HEADING.exec(raw)[2], links));
}

function quote(raw, links, depth) {
  const text = raw.split('\n').map((line) => line.replace(/^ {0,3}> ?/, '')).join('\n');
  return node('blockquote', ...nodesOf(text, links, depth + 1));
}

function paragraph(raw, links) {
  return node('p', ...inline(raw.replace(/^ +/gm, ''), links));
}

function list(raw, links, depth) {
  const items = [];
  for (const line of raw.split('\n')) {
    const match = ITEM.exec(line);
    // An item that is indented as far as the text of the one above belongs into it.
    if (match && !(items.length && match[1].length >= items.at(-1).width)) items.push({ width: match[0].length, sign: match[2], lines: [line.slice(match[0].length)] });
    else items.at(-1).lines.push(line.replace(new RegExp(`^\\s{0,${items.at(-1).width}}`), ''));
  }
  const isOrdered = /\d/.test(items[0].sign);
  const made = node(isOrdered ? 'ol' : 'ul');
  if (isOrdered && parseInt(items[0].sign, 10) !== 1) made.start = parseInt(items[0].sign, 10);
  for (const { lines } of items) {
    const children = nodesOf(lines.join('\n').replace(TASK, (_, done) => (done === ' ' ? '☐ ' : '☑ ')), links, depth + 1);
    // A tight item has no paragraph of its own.
    if (children[0]?.tagName === 'P') children.splice(0, 1, ...children[0].childNodes);
    made.append(node('li', ...children));
  }
  return made;
}

function cells(line) {
  return line.trim().replace(/^\||(?<!\\)\|$/g, '').split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('\\|', '|'));
}

/** Return the side that each column of a table is set to: '' where the writer leaves it open. */
function sidesOf(delimiters) {
  return cells(delimiters).map((cell) => (cell.endsWith(':') ? (cell.startsWith(':') ? 'center' : 'right') : ''));
}

function table(raw, links) {
  const [head, delimiters, ...rows] = raw.split('\n');
  const sides = sidesOf(delimiters);
  const row = (tag, line) => node('tr', ...cells(line).map((text, column) => {
    const cell = node(tag, ...inline(text, links));
    if (sides[column]) cell.style.textAlign = sides[column];
    return cell;
  }));
  return links.table(node('table', node('thead', row('th', head)), node('tbody', ...rows.map((line) => row('td', line)))));
}

/** Show a growing text, touching only the blocks that changed: what was read stays put. */
export class MarkdownView {
  #shown = [];

  constructor(root, links) {
    Object.assign(this, { root, links });
  }

  show(text, { afresh = false } = {}) {
    const blocks = blocksOf(text);
    let same = 0;
    while (!afresh && same < this.#shown.length && this.#shown[same].raw === blocks[same]?.raw) same += 1;
    for (const { made } of this.#shown.splice(same)) made.remove();
    for (const block of blocks.slice(same)) {
      const made = nodeOf(block, this.links);
      this.root.append(made);
      this.#shown.push({ raw: block.raw, made });
    }
  }
}
