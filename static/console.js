/**
 * The console: asks the book a question and shows the answer with the lines it rests on.
 *
 * What a model, a book or a session wrote reaches the page as text only, also within the nodes that the widget's
 * reader of Markdown makes. Nothing here sets HTML from a string, and nothing leaves this origin.
 */

import { Talks } from './console_talks.js';
import { EventReader, MarkdownView, copy, growing } from './widget/shared.js';

const QUERY_MAX = 2000;
const SELECTION_MIN = 10;
const SELECTION_MAX = 10000;
const HISTORY_PAGE = 20;
const QUIET_LIMIT_MS = 60000; // The server sends a comment every 15 s; four missed ones mean the line is dead.
const PAINT_EVERY_MS = 60; // Faster than this an eye cannot read, and each painting parses the tail again.

const base = apiBase();
const byId = (id) => document.getElementById(id);
const part = (root, name) => root.querySelector(`[data-part="${name}"]`);

const page = {
  talk: byId('talk'),
  earlier: byId('earlier'),
  form: byId('ask'),
  question: byId('question'),
  selection: byId('selection'),
  send: byId('send'),
  stop: byId('stop'),
  problem: byId('ask-problem'),
};

let running = null; // {exchange, controller} while an answer arrives
let earlierThan = null; // the message before which the next page of history ends
let exchangeCount = 0;

/* ---- Small helpers ---- */

function apiBase() {
  const here = new URL('/', location.href);
  const given = new URL(document.documentElement.dataset.base || '/', location.href);
  return given.origin === location.origin ? given : here;
}

function api(path) {
  return new URL(path, base);
}

/** A string whatever came over the wire, so that a wrong type can never break the page. */
function words(value) {
  if (value === null || value === undefined) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function list(value) {
  return Array.isArray(value) ? value : [];
}

function record(value) {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? value : {};
}

/** Characters as the server counts them: code points, not UTF-16 units. */
function lengthOf(text) {
  return [...text].length;
}

function plural(count, one, many) {
  return `${count} ${String(count) === '1' ? one : many}`;
}

function duration(ms) {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10000 ? 2 : 1)} s`;
}

/** A wait in words: seconds while one would sit it out, then minutes, then hours. */
function wait(seconds) {
  if (seconds <= 120) return `${seconds} s`;
  return seconds <= 7200 ? `${Math.ceil(seconds / 60)} min` : `${Math.ceil(seconds / 3600)} h`;
}

function element(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** The address if a reader may safely be sent there: http, https, a fragment or a path on this site. Else null. */
function safeAddress(address, { relative = false } = {}) {
  const text = words(address).trim();
  if (!text || /[\u0000-\u0020\\]/.test(text)) return null;
  const absolute = /^https?:\/\/[^/]/i.test(text);
  const rooted = /^\/(?!\/)/.test(text);
  const nearby = relative && !text.startsWith('//') && !/^[^/?#]*:/.test(text);
  if (!absolute && !rooted && !nearby) return null;
  try {
    const { protocol } = new URL(text, location.href);
    return protocol === 'http:' || protocol === 'https:' ? text : null;
  } catch {
    return null;
  }
}

function openElsewhere(link, address) {
  link.setAttribute('href', address);
  link.setAttribute('target', '_blank');
  link.setAttribute('rel', 'noopener noreferrer');
}

function announce(text) {
  byId('announce').textContent = text;
}

function notify(text, action) {
  const notice = byId('notice');
  const button = part(notice, 'notice-action');
  part(notice, 'notice-text').textContent = text;
  notice.hidden = !text;
  button.hidden = !action;
  button.textContent = action ? action.label : '';
  button.onclick = action ? action.run : null;
}

/* ---- The session, remembered between visits ---- */

const session = {
  key: `ragbot.session ${base.pathname}`,
  id: null,
  load() {
    try {
      this.id = localStorage.getItem(this.key) || null;
    } catch {
      this.id = null; // Storage may be forbidden; the session then lasts as long as the page.
    }
    this.show();
  },
  keep(id) {
    this.id = words(id) || null;
    try {
      if (this.id) localStorage.setItem(this.key, this.id);
      else localStorage.removeItem(this.key);
    } catch {
      // As above.
    }
    this.show();
  },
  show() {
    const link = byId('export');
    link.hidden = !this.id;
    if (this.id) link.href = api(`sessions/${encodeURIComponent(this.id)}/export`).href;
    else link.removeAttribute('href');
  },
};

/* ---- Problems in words ---- */

async function problemOf(response) {
  let payload = {};
  try {
    payload = record(await response.json());
  } catch {
    // A proxy in front may answer with a page of its own.
  }
  return {
    ...payload,
    status: response.status,
    title: words(payload.title) || `The server answered ${response.status}`,
    detail: words(payload.detail) || 'The server gave no reason. Try again in a moment.',
    request_id: words(payload.request_id) || response.headers.get('X-Request-ID') || '',
    retry_after_s: secondsOf(response.headers.get('Retry-After') ?? payload.retry_after),
  };
}

function secondsOf(retryAfter) {
  if (retryAfter === null || retryAfter === undefined || retryAfter === '') return null;
  const seconds = Number(retryAfter);
  if (Number.isFinite(seconds)) return Math.max(0, Math.ceil(seconds));
  const until = Date.parse(retryAfter);
  return Number.isNaN(until) ? null : Math.max(0, Math.ceil((until - Date.now()) / 1000));
}

const UNREACHABLE = {
  title: 'The server could not be reached',
  detail: 'Check that it is running and that you are connected, then ask again.',
};
const BROKEN_OFF = {
  title: 'The answer broke off',
  detail: 'The connection ended before the answer was complete. The part that arrived stays above.',
};
const GARBLED = {
  title: 'The answer could not be read',
  detail: 'The server sent something this page does not understand.',
};
const GONE_QUIET = {
  title: 'The server does not respond',
  detail: 'Nothing has arrived for a minute, so this page stopped waiting.',
};

const FAILED_THEN = {
  title: 'This question was not answered',
  detail: 'Something failed while it was being answered. You can ask it again.',
};
const PENDING_THEN = {
  title: 'No answer yet',
  detail: 'When this page was loaded the answer was still being written. Load the page again, or ask again.',
};

const MENDABLE = ['invalid_request', 'edition_not_found'];

/** Whether the problem means that the session we hold is of no more use. */
function sessionIsGone(problem) {
  return problem.code === 'session_not_found' || problem.code === 'session_expired';
}

/* ---- Markdown ---- */

/** What the nodes of an answer become here; `cite` gives the link of a source's number, or null. */
function answerParts(cite) {
  return {
    heading: 'h3', // The page's own headings are h1 and h2.
    cite,
    to(address) {
      const safe = safeAddress(address, { relative: true });
      if (!safe) return null;
      const link = element('a');
      openElsewhere(link, safe);
      return link;
    },
    code(made) {
      const listing = element('pre', undefined, { tabindex: '0', dir: 'ltr' });
      listing.append(made);
      return listing;
    },
    table(made) {
      const scroller = element('div', undefined, { class: 'scroller', tabindex: '0', role: 'group', 'aria-label': 'Table' });
      scroller.append(made);
      return scroller;
    },
  };
}

/* ---- Cited words in a quote ---- */

const VISIBLE = /\S/gu;
const LETTERS = /[\p{L}\p{M}\p{N}]/gu;

/** Keeps the characters that match; `places[i]` is the index in the text of the i-th of them. */
function squeeze(text, kept) {
  let squeezed = '';
  const places = [];
  for (const { 0: found, index } of text.matchAll(kept)) {
    squeezed += found;
    for (let i = 0; i < found.length; i += 1) places.push(index + i);
  }
  return { squeezed, places };
}

/**
 * Finds words in a text, whatever white space stands between them. If they are not there, only letters and
 * digits are compared: the server may have taken more markup from the one than from the other. Of several
 * places the nearest to `expected` is taken. Returns {start, end}, or null.
 */
function findWords(text, wanted, expected) {
  for (const kept of [VISIBLE, LETTERS]) {
    const { squeezed, places } = squeeze(text, kept);
    const needle = squeeze(wanted, kept).squeezed;
    if (!needle) return null;
    let best = null;
    for (let at = squeezed.indexOf(needle); at >= 0; at = squeezed.indexOf(needle, at + 1)) {
      const start = places[at];
      if (best && Math.abs(start - expected) >= Math.abs(best.start - expected)) continue;
      best = { start, end: places[at + needle.length - 1] + 1 };
    }
    if (best) return best;
  }
  return null;
}

/** The citations of a source in the order of its text: {start, end, text, address}; unknown places lie at the end. */
function citationsIn(text, citations, quoteLength) {
  const placed = citations.map((given) => {
    const cited = words(given.text);
    const share = quoteLength ? Number(given.start) / quoteLength : 0;
    const place = findWords(text, cited, Number.isFinite(share) ? share * text.length : 0);
    return { ...(place ?? { start: text.length, end: text.length }), text: cited, address: safeAddress(given.url) };
  });
  return placed.sort((one, other) => one.start - other.start || one.end - other.end);
}

function wordSet(text) {
  return new Set(text.toLowerCase().match(/[\p{L}\p{M}\p{N}]+/gu) ?? []);
}

/** The citation that shares most words with a claim of the answer; the first one if none shares any. */
function citationFor(claim, citations) {
  const claimed = wordSet(claim);
  let best = citations[0];
  let most = 0;
  for (const citation of citations) {
    const cited = wordSet(citation.text);
    const shared = [...cited].filter((word) => claimed.has(word)).length;
    const likeness = shared / (cited.size + claimed.size || 1);
    if (likeness > most) [best, most] = [citation, likeness];
  }
  return best;
}

/** What a mark of the answer stands behind: the words back to the mark before it, or to the block's beginning. */
function claimOf(mark) {
  const before = new Range();
  before.setStart(mark.closest('p, li, td, th, blockquote, .answer'), 0);
  before.setEndBefore(mark);
  return before.toString().split(/\[\d+\]/).findLast((piece) => /[\p{L}\p{N}]/u.test(piece)) ?? '';
}

function shortened(text, most) {
  const characters = [...text.replace(/\s+/g, ' ').trim()];
  return characters.length > most ? `${characters.slice(0, most).join('').trim()}…` : characters.join('');
}

/* ---- A source ---- */

class Source {
  constructor(number, exchange) {
    this.number = number;
    this.exchange = exchange;
    this.node = byId('source-template').content.firstElementChild.cloneNode(true);
    this.node.id = `source-${exchange.number}-${number}`;
    this.node.dataset.source = String(number);
    this.quote = part(this.node, 'quote');
    this.more = part(this.node, 'more');
    this.quote.id = `${this.node.id}-quote`;
    this.more.setAttribute('aria-controls', this.quote.id);
    part(this.node, 'number').textContent = String(number);
    this.more.addEventListener('click', () => this.unfold(!this.quote.classList.contains('open')));
    part(this.node, 'use').addEventListener('click', () => useAsSelection(this.text));
    part(this.node, 'back').addEventListener('click', () => this.exchange.backToMark());
    new ResizeObserver(() => this.settle()).observe(this.quote);
  }

  show(payload, { cited, citations }) {
    const source = record(payload);
    this.node.dataset.cited = String(cited);
    this.title = this.#showPath(source);
    this.node.setAttribute('aria-label', `Source ${this.number}${cited ? '' : ', not cited'}: ${this.title}`);
    this.#showQuote(source, citations);
    part(this.node, 'use').hidden = lengthOf(this.text) < SELECTION_MIN;
    this.#showLink(source);
  }

  #showQuote(source, citations) {
    const quote = words(source.quote);
    // A reply of an earlier version has no text without markup. A CR is no line break to a browser.
    this.text = (words(source.quote_text) || quote).replace(/\r\n?/g, '\n').trim();
    this.quote.classList.toggle('code', /^\s*(```|~~~)/.test(quote));
    const shown = JSON.stringify([this.text, citations]);
    if (shown === this.shown) return; // Painted anew, it would lose the focus and what the reader has selected.
    this.shown = shown;
    this.citations = citationsIn(this.text, citations, lengthOf(quote));
    this.#paint();
    this.inView = this.citations[0]?.node ?? null;
  }

  /** The text with the cited words marked, each followed by its own link where they lie in several places. */
  #paint() {
    const hasSeveral = new Set(this.citations.map(({ address }) => address)).size > 1;
    const nodes = [];
    let from = 0;
    let mark = null;
    for (const citation of this.citations) {
      const start = Math.max(citation.start, from);
      if (citation.end > start) {
        mark = element('mark', this.text.slice(start, citation.end));
        nodes.push(this.text.slice(from, start), mark);
        from = citation.end;
      }
      citation.node = citation.end > citation.start ? mark : null;
      if (hasSeveral && citation.address) nodes.push(this.#citationLink(citation));
    }
    this.quote.replaceChildren(...nodes, this.text.slice(from));
  }

  #citationLink({ address, text }) {
    const link = byId('citation-link-template').content.firstElementChild.cloneNode(true);
    link.setAttribute('aria-label', `Open the page at “${shortened(text, 60)}”`);
    openElsewhere(link, address);
    return link;
  }

  #showPath(source) {
    let steps = list(source.heading_path).map(words).filter(Boolean);
    if (!steps.length) steps = [words(source.chapter), words(source.section)].filter(Boolean);
    if (!steps.length) steps = [words(source.path) || 'Untitled passage'];
    const pieces = [];
    steps.forEach((step, i) => {
      if (i) pieces.push(element('i', '›', { 'aria-hidden': 'true' }));
      pieces.push(i === steps.length - 1 ? element('b', step) : step);
    });
    const path = part(this.node, 'path');
    path.replaceChildren(...pieces);
    const score = Number(source.score);
    path.title = [words(source.path), Number.isFinite(score) && source.score !== null ? `score ${score.toFixed(3)}` : '']
      .filter(Boolean).join(' · ');
    return steps.at(-1);
  }

  #showLink(source) {
    const link = part(this.node, 'link');
    const bad = part(this.node, 'bad-link');
    const address = safeAddress(source.url);
    link.hidden = !address;
    if (address) openElsewhere(link, address);
    bad.hidden = Boolean(address) || !words(source.url);
    bad.textContent = address ? '' : words(source.url);
  }

  /** Shows the folded quote from the line before the cited words, and says whether there is more of it. */
  settle() {
    const { quote } = this;
    if (quote.classList.contains('open')) return;
    const line = parseFloat(getComputedStyle(quote).lineHeight) || 1;
    const top = this.inView?.offsetTop ?? 0;
    quote.scrollTop = Math.max(0, Math.round(top / line) - 1) * line;
    const below = quote.scrollHeight - quote.clientHeight - quote.scrollTop;
    quote.classList.toggle('more-above', quote.scrollTop > 2);
    quote.classList.toggle('more-below', below > 2);
    this.more.hidden = quote.scrollHeight <= quote.clientHeight + 2;
  }

  unfold(open) {
    this.quote.classList.toggle('open', open);
    this.more.setAttribute('aria-expanded', String(open));
    this.more.textContent = open ? 'Show less' : 'Show all';
    this.settle();
  }

  /** Lights the cited words that a claim of the answer rests on, and scrolls to them. */
  reveal(claim) {
    const known = this.citations.filter(({ node }) => node);
    this.inView = citationFor(claim, known)?.node ?? null;
    this.inView?.classList.add('lit');
    if (!this.inView && !this.more.hidden) this.unfold(true); // Which words are cited is not known.
    this.settle();
    const fits = this.node.clientHeight < window.innerHeight / 2;
    (fits ? this.node : this.inView ?? this.node).scrollIntoView({ block: 'nearest' });
  }
}

/* ---- A question with its answer ---- */

const STATE_WORDS = { answered: 'Answered', stopped: 'Stopped', failed: 'Failed' };
const DEGRADED_WORDS = {
  llm_fallback: 'second model answered',
  llm_extractive: 'passages quoted, no model',
  llm_length: 'cut at the model’s limit',
  dense_search: 'keyword search only',
  budget: 'budget spent, passages quoted',
  cache: 'without cache',
  history: 'not kept',
};

const COPY_WORDS = {
  copy: 'Copy',
  copied: 'Copied',
  not_copied: 'This page may not copy. The text is selected now: copy it by hand.',
};

class Exchange {
  constructor(asked) {
    exchangeCount += 1;
    this.number = exchangeCount;
    this.asked = asked; // what was sent: {query, mode, selected_text?, ...options}
    this.text = '';
    this.sources = [];
    this.messageId = null;
    this.cameFrom = null;
    this.node = byId('exchange-template').content.firstElementChild.cloneNode(true);
    this.answer = part(this.node, 'answer');
    this.view = new MarkdownView(this.answer, answerParts((number) => this.#mark(number)));

    const heading = part(this.node, 'question');
    heading.id = `question-${this.number}`;
    heading.textContent = words(asked.query);
    this.node.setAttribute('aria-labelledby', heading.id);
    part(this.node, 'about').hidden = asked.mode !== 'selected_text' || !asked.selected_text;
    part(this.node, 'selection').textContent = words(asked.selected_text);
    part(this.node, 'use-again').addEventListener('click', () => useAsSelection(words(asked.selected_text)));
    if (asked.mode === 'selected_text') part(this.node, 'waiting-text').textContent = 'Looking in the selected text';
    part(this.node, 'again').addEventListener('click', () => this.askAgain());
    part(this.node, 'repeat').addEventListener('click', () => this.askAgain());
    part(this.node, 'edit').addEventListener('click', () => edit(this.asked));
    part(this.node, 'copy').addEventListener('click', ({ currentTarget }) => this.#copy(currentTarget));
    for (const thumb of this.node.querySelectorAll('[data-rating]')) {
      thumb.addEventListener('click', () => this.#rate(thumb.dataset.rating));
    }
    part(this.node, 'inside').addEventListener('toggle', () => this.#showRaw());
  }

  get state() {
    return this.node.dataset.state;
  }

  set state(state) {
    this.node.dataset.state = state;
    this.node.setAttribute('aria-busy', String(state === 'running'));
  }

  /* -- As it arrives -- */

  /** Shows the passages that were found. A later list replaces the one before; numbers in use stay theirs. */
  begin(payload) {
    this.#know(payload);
    this.showSources(payload.sources, { whole: false });
    part(this.node, 'waiting-text').textContent = this.sources.length
      ? `Found ${plural(this.sources.length, 'passage', 'passages')}, writing`
      : 'Writing';
  }

  think() {
    part(this.node, 'waiting-text').textContent = 'The model is thinking';
  }

  add(text) {
    this.text += text;
    if (!this.painting) this.painting = setTimeout(() => this.#paint(), PAINT_EVERY_MS);
  }

  #paint(afresh = false) {
    clearTimeout(this.painting);
    this.painting = null;
    part(this.node, 'waiting').hidden = this.text !== '' || this.state !== 'running';
    this.view.show(this.text, { afresh });
  }

  /** Shows a whole reply, or a message of the session's history, which has most of the same fields. */
  finish(payload, { requestId = '' } = {}) {
    this.#know(payload);
    this.requestId = requestId;
    this.reply = payload;
    this.text = words(payload.answer);
    this.state = words(payload.status) || 'answered';
    this.showSources(payload.sources, { whole: true, citations: list(payload.citations).map(record) });
    this.#paint(true);
    this.#showAfter();
  }

  stop() {
    this.state = 'stopped';
    this.#settle();
  }

  fail(problem, { state = 'failed' } = {}) {
    this.problem = problem;
    this.state = state;
    this.#settle();
    this.#showProblem(problem);
  }

  /** Leaves a partial answer as it stands, with the sources that it names. */
  #settle() {
    this.#paint(true);
    const named = new Set([...this.answer.querySelectorAll('.cite')].map((mark) => Number(mark.dataset.cite)));
    const sources = this.sources.map((source, i) => ({ ...source.payload, cited: named.has(i + 1) }));
    this.showSources(sources, { whole: true });
    this.reply ??= { status: this.state, ...(this.messageId ? { message_id: this.messageId } : {}), ...this.problem };
    this.#showAfter();
  }

  #know(payload) {
    this.messageId = words(payload.message_id) || this.messageId;
    if (this.messageId) this.node.dataset.messageId = this.messageId;
  }

  /* -- Sources -- */

  /** Until the answer is whole it is not known what it cites, and all passages wait together, folded. */
  showSources(payload, { whole, citations = [] }) {
    const focused = document.activeElement;
    const cited = [];
    const near = [];
    list(payload).forEach((source, i) => {
      this.sources[i] ??= new Source(i + 1, this);
      const isCited = whole && Boolean(record(source).cited);
      this.sources[i].payload = record(source);
      this.sources[i].show(source, {
        cited: isCited,
        citations: citations.filter((citation) => Number(citation.source) === i + 1),
      });
      (isCited ? cited : near).push(this.sources[i].node);
    });
    this.sources.length = list(payload).length;
    part(this.node, 'cited').replaceChildren(...cited);
    part(this.node, 'near').replaceChildren(...near);
    part(this.node, 'sources').hidden = !this.sources.length;
    part(this.node, 'cited-heading').hidden = !cited.length;
    part(this.node, 'nearest').hidden = !near.length;
    const count = plural(near.length, 'passage', 'passages');
    let summary = cited.length ? `Also found: ${count}` : `${count} found`;
    if (this.state === 'refused') summary = `The nearest ${count}`;
    part(this.node, 'nearest-summary').textContent = summary;
    // Moving a node drops its focus, and where it was scrolled to.
    this.sources.forEach((source) => source.settle());
    if (focused && focused !== document.activeElement && this.node.contains(focused)) {
      focused.focus({ preventScroll: true });
    }
  }

  #mark(number) {
    const source = this.sources[number - 1];
    if (!source) return null;
    const mark = element('a', `[${number}]`, {
      class: 'cite',
      href: `#${source.node.id}`,
      'data-cite': String(number),
      'aria-label': `Source ${number}: ${source.title}`,
      title: source.title,
    });
    mark.addEventListener('click', (event) => {
      event.preventDefault();
      this.#open(source, mark);
    });
    return mark;
  }

  #open(source, mark) {
    for (const lit of document.querySelectorAll('.lit')) lit.classList.remove('lit');
    for (const back of document.querySelectorAll('[data-part="back"]')) back.hidden = true;
    if (part(this.node, 'nearest').contains(source.node)) part(this.node, 'nearest').open = true;
    source.node.classList.add('lit');
    mark.classList.add('lit');
    part(source.node, 'back').hidden = false;
    this.cameFrom = mark;
    source.node.focus({ preventScroll: true });
    source.reveal(claimOf(mark));
  }

  backToMark() {
    // The mark may have been painted anew since.
    const mark = this.cameFrom?.isConnected
      ? this.cameFrom
      : this.answer.querySelector(`[data-cite="${this.cameFrom?.dataset.cite}"]`);
    if (!mark) return;
    mark.focus({ preventScroll: true });
    mark.scrollIntoView({ block: 'center' });
  }

  /* -- Under the answer -- */

  #copy(pressed) {
    const note = part(this.node, 'copy-note');
    const tell = (text) => {
      note.hidden = !text;
      note.textContent = text;
      announce(text);
    };
    copy(this.text, { pressed, shown: this.answer, say: (key) => COPY_WORDS[key], tell });
  }

  #showAfter() {
    part(this.node, 'waiting').hidden = true;
    part(this.node, 'after').hidden = false;
    this.#showChips();
    this.#showFigures();
    part(this.node, 'copy').hidden = !this.text;
    part(this.node, 'repeat').hidden = Boolean(this.problem); // It has a button of its own beside what went wrong.
    part(this.node, 'edit').hidden = this.state === 'pending';
    part(this.node, 'feedback').hidden = !this.messageId || !['answered', 'refused'].includes(this.state);
    const given = this.reply.feedback;
    this.#showRating(words(record(given).rating ?? (typeof given === 'string' ? given : '')));
  }

  #showChips() {
    const reply = this.reply;
    const chips = [];
    const chip = (kind, text) => chips.push(element('li', text, { 'data-chip': kind }));
    const from = this.asked.mode === 'selected_text' ? 'Not in the selection' : 'Not in the book';
    if (!this.problem) chip('status', this.state === 'refused' ? from : STATE_WORDS[this.state] ?? this.state);
    if (reply.model) chip('model', words(reply.model));
    for (const name of list(reply.degraded)) chip('degraded', DEGRADED_WORDS[words(name)] ?? words(name));
    const { sentences, unsupported } = record(reply.grounding);
    const lost = list(unsupported).length;
    if (lost) chip('unsupported', `${lost} of ${plural(Number(sentences), 'sentence', 'sentences')} not found there`);
    if (reply.cache === 'hit') chip('cache', 'From the cache');
    const total = totalOf(reply.latency_ms);
    if (total !== null) chip('time', duration(total));
    part(this.node, 'chips').replaceChildren(...chips);
  }

  #showFigures() {
    const reply = this.reply;
    const stages = record(reply.latency_ms);
    const usage = record(reply.usage);
    const rows = [];
    const row = (name, value) => {
      if (value !== '' && value !== null && value !== undefined) rows.push(element('dt', name), element('dd', value));
    };
    for (const [stage, name] of [['embed', 'Embedding'], ['search', 'Search'], ['generate', 'Writing'], ['total', 'Total']]) {
      if (Number.isFinite(stages[stage])) row(name, duration(stages[stage]));
    }
    row('Tokens', [['embedding', usage.embedding_tokens], ['in', usage.input_tokens], ['out', usage.output_tokens]]
      .filter(([, count]) => Number.isFinite(count)).map(([name, count]) => `${count} ${name}`).join(', '));
    if ('cost_usd' in usage) row('Cost', Number.isFinite(usage.cost_usd) ? `$${usage.cost_usd.toFixed(6)}` : 'not known');
    row('Model', words(reply.model));
    if (byId('book')) row('Book', words(reply.book));
    row('Edition', words(reply.book_version));
    row('Cache', words(reply.cache));
    if (Array.isArray(reply.degraded)) row('Done without', reply.degraded.map(words).join(', ') || 'nothing, all is well');
    row('Message', words(this.messageId));
    row('Request', words(this.requestId || record(this.problem).request_id));
    part(this.node, 'figures').replaceChildren(...rows);
    this.#showStages(stages);
  }

  #showStages(stages) {
    const names = ['embed', 'search', 'generate'];
    const times = names.map((name) => (stages[name] > 0 && Number.isFinite(stages[name]) ? stages[name] : 0));
    const sum = times.reduce((so_far, ms) => so_far + ms, 0);
    const bar = part(this.node, 'stages');
    bar.toggleAttribute('hidden', !sum);
    let x = 0;
    bar.replaceChildren(...names.map((name, i) => {
      const rect = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
      const width = sum ? (100 * times[i]) / sum : 0;
      const attributes = { class: name, x, y: 0, width, height: 4 };
      for (const [key, value] of Object.entries(attributes)) rect.setAttribute(key, String(value));
      x += width;
      return rect;
    }));
  }

  #showRaw() {
    const raw = part(this.node, 'raw');
    if (part(this.node, 'inside').open) raw.textContent = JSON.stringify(this.reply, null, 2);
  }

  /* -- When it went wrong -- */

  #showProblem(problem) {
    part(this.node, 'problem').hidden = false;
    part(this.node, 'problem-title').textContent = words(problem.title);
    part(this.node, 'problem-detail').textContent = words(problem.detail);
    part(this.node, 'problem-code').textContent = [words(problem.code), words(problem.request_id)].filter(Boolean).join(' · ');
    const fields = list(problem.errors).map(record);
    const fieldList = part(this.node, 'problem-fields');
    fieldList.hidden = !fields.length;
    fieldList.replaceChildren(...fields.map(({ field, message }) => element('li', [words(field), words(message)].filter(Boolean).join(': '))));
    this.#offerAgain(problem.retry_after_s);
  }

  #offerAgain(waitS) {
    const again = part(this.node, 'again');
    const until = Date.now() + (waitS ?? 0) * 1000;
    const tick = () => {
      const left = Math.ceil((until - Date.now()) / 1000);
      again.disabled = left > 0;
      again.textContent = left > 0 ? `Try again in ${wait(left)}` : 'Ask again';
      if (left > 0 && again.isConnected) setTimeout(tick, 250);
    };
    tick();
  }

  askAgain() {
    if (running) return;
    // Sending again what was refused helps only once it is mended: take the composer as it stands now.
    const asked = MENDABLE.includes(this.problem?.code) ? composed(words(this.asked.query)) : this.asked;
    if (!asked) return;
    if (!this.text) this.node.remove();
    else if (this.problem) part(this.node, 'again').remove();
    put(asked);
    page.question.focus({ preventScroll: true });
  }

  /* -- Feedback -- */

  #showRating(rating) {
    for (const thumb of this.node.querySelectorAll('[data-rating]')) {
      thumb.setAttribute('aria-pressed', String(thumb.dataset.rating === rating));
    }
  }

  async #rate(rating) {
    const note = part(this.node, 'feedback-note');
    const before = this.node.querySelector('[aria-pressed="true"]')?.dataset.rating ?? '';
    this.#showRating(rating);
    note.textContent = '';
    const path = `sessions/${encodeURIComponent(session.id ?? '')}/messages/${encodeURIComponent(this.messageId)}/feedback`;
    try {
      const response = await fetch(api(path), {
        method: 'PUT',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ rating }),
      });
      if (!response.ok) throw await problemOf(response);
      note.textContent = rating === 'up' ? 'Noted: helpful' : 'Noted: not helpful';
    } catch (problem) {
      this.#showRating(before);
      note.textContent = `Your rating was not saved. ${problem instanceof Error ? UNREACHABLE.title : problem.detail}`;
    }
  }
}

function totalOf(latency) {
  const total = typeof latency === 'object' ? record(latency).total : latency;
  return Number.isFinite(total) ? total : null;
}

/* ---- Asking ---- */

/** Asks, shows the exchange, and stays until the answer is there, stopped or failed. */
async function put(asked) {
  const exchange = new Exchange(asked);
  const controller = new AbortController();
  running = { exchange, controller };
  notify('');
  place(exchange);
  showRunning(true);
  if (asked.selected_text) announce('Looking in the selected text. Later questions go to the whole book.');
  else announce('Looking in the book.');
  // A selection counts for one question; another one, chosen meanwhile, stays.
  if (asked.selected_text && asked.selected_text === page.selection.value.trim()) dropSelection();

  const outcome = await receive(asked, { exchange, controller });

  if (running?.exchange === exchange) {
    running = null;
    showRunning(false);
  }
  if (!exchange.node.isConnected) return; // A new session was begun meanwhile.
  if (outcome === 'stopped') exchange.stop();
  else if (outcome) exchange.fail(outcome);
  if (outcome && sessionIsGone(outcome)) {
    talks.forget(session.id);
    session.keep(null);
    notify('That session has ended. The next question starts a new one.');
  }
  if (outcome?.errors) {
    // What is to be mended must be at hand.
    if (asked.selected_text && !page.selection.value.trim()) select(asked.selected_text);
    markFields(outcome.errors);
  }
  announce(summaryOf(exchange));
}

function place(exchange) {
  document.body.classList.add('begun');
  page.talk.querySelector('.newest')?.classList.remove('newest');
  exchange.node.classList.add('newest');
  page.talk.append(exchange.node);
  exchange.state = 'running';
  exchange.node.scrollIntoView({ block: 'start' });
}

function showRunning(isRunning) {
  const focused = document.activeElement;
  page.send.hidden = isRunning;
  page.stop.hidden = !isRunning;
  // A button that goes away must not take the focus with it.
  if (focused === page.send || focused === page.stop) page.question.focus({ preventScroll: true });
}

function summaryOf(exchange) {
  const answer = exchange.answer.textContent.trim();
  const cited = part(exchange.node, 'cited').children.length;
  if (exchange.state === 'failed') return `${words(exchange.problem.title)}. ${words(exchange.problem.detail)}`;
  if (exchange.state === 'stopped') return 'Stopped. The part that arrived stays above.';
  const sources = cited ? ` ${plural(cited, 'source', 'sources')} cited.` : '';
  const place = exchange.asked.mode === 'selected_text' ? 'selected text' : 'book';
  return `${exchange.state === 'refused' ? `No answer in the ${place}` : 'Answer'}: ${answer}${sources}`;
}

/** Feeds the exchange. Gives null when it is whole, 'stopped', or the problem. */
async function receive(asked, { exchange, controller }) {
  let quiet = false;
  let watch = null;
  const heard = () => {
    clearTimeout(watch);
    watch = setTimeout(() => {
      quiet = true;
      controller.abort();
    }, QUIET_LIMIT_MS);
  };
  try {
    heard();
    const response = await fetch(api('query'), {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream' },
      body: JSON.stringify(session.id ? { ...asked, session_id: session.id } : asked),
      signal: controller.signal,
    });
    heard();
    if (!response.ok) return await problemOf(response);
    const requestId = response.headers.get('X-Request-ID') ?? '';
    if (!(response.headers.get('Content-Type') ?? '').includes('text/event-stream')) {
      return wholeReply(await response.json(), { exchange, requestId });
    }
    return await follow(response.body, { exchange, requestId, heard });
  } catch (error) {
    if (quiet) return GONE_QUIET;
    if (controller.signal.aborted) return 'stopped';
    if (error instanceof SyntaxError) return GARBLED;
    return exchange.text || exchange.sources.length ? BROKEN_OFF : UNREACHABLE;
  } finally {
    clearTimeout(watch);
  }
}

async function follow(body, { exchange, requestId, heard }) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const events = new EventReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return BROKEN_OFF;
    heard();
    for (const { event, data } of events.push(decoder.decode(value, { stream: true }))) {
      if (!['sources', 'thinking', 'delta', 'done', 'error'].includes(event)) continue; // One of a later version.
      const payload = record(JSON.parse(data));
      if (event === 'sources') {
        keepSession(payload, exchange);
        exchange.begin(payload);
      } else if (event === 'thinking') {
        exchange.think();
      } else if (event === 'delta') {
        exchange.add(words(payload.text));
      } else {
        reader.cancel().catch(() => {});
        if (event === 'done') return wholeReply(payload, { exchange, requestId });
        return { title: 'The answer broke off', ...payload, retry_after_s: secondsOf(payload.retry_after) };
      }
    }
  }
}

function wholeReply(reply, { exchange, requestId }) {
  const payload = record(reply);
  keepSession(payload, exchange);
  exchange.finish(payload, { requestId });
  return null;
}

function keepSession(payload, exchange) {
  session.keep(words(payload.session_id) || session.id);
  if (session.id) talks.note(session.id, words(exchange.asked.query));
}

/* ---- The talks of this browser ---- */

const talks = new Talks({
  key: `ragbot.talks ${base.pathname}`,
  list: byId('talks-list'),
  empty: byId('talks-empty'),
  open(id) {
    beginAnew();
    session.keep(id);
    showTalks(false);
    showHistory();
  },
  remove: deleteSession,
});

function showTalks(open) {
  byId('talks').hidden = !open;
  byId('talks-button').setAttribute('aria-expanded', String(open));
  if (open) talks.show(session.id);
}

/** Deletes a session on the server. Gives whether it is gone. */
async function deleteSession(id) {
  try {
    const response = await fetch(api(`sessions/${encodeURIComponent(id)}`), { method: 'DELETE' });
    if (!response.ok && response.status !== 404 && response.status !== 410) throw await problemOf(response);
  } catch (problem) {
    notify(`The talk was not deleted. ${problem instanceof Error ? `${UNREACHABLE.title}.` : problem.detail}`);
    return false;
  }
  if (session.id === id) beginAnew();
  announce('The talk is deleted.');
  return true;
}

/* ---- The session's history ---- */

async function showHistory({ before = null } = {}) {
  const { id } = session;
  if (!id) return;
  const isOver = () => session.id !== id; // Another talk was opened, or a new one begun, meanwhile.
  const address = api(`sessions/${encodeURIComponent(id)}`);
  address.searchParams.set('limit', String(HISTORY_PAGE));
  if (before) address.searchParams.set('before', before);
  page.earlier.disabled = true;
  try {
    const response = await fetch(address, { headers: { Accept: 'application/json' } });
    if (response.status === 404 || response.status === 410) {
      talks.forget(id);
      if (isOver()) return;
      session.keep(null);
      page.earlier.hidden = true;
      notify('The earlier session has ended and its questions are gone. The next question starts a new one.');
      return;
    }
    if (!response.ok) throw await problemOf(response);
    const payload = record(await response.json());
    if (!isOver()) showPage(payload, { isFirst: before === null });
  } catch (problem) {
    if (isOver()) return;
    const why = problem instanceof Error ? `${UNREACHABLE.title}.` : problem.detail;
    notify(`The earlier questions could not be loaded. ${why}`, {
      label: 'Try again',
      run: () => {
        notify('');
        showHistory({ before });
      },
    });
  } finally {
    page.earlier.disabled = false;
  }
}

function showPage(payload, { isFirst }) {
  const messages = list(payload.messages).map(record);
  const exchanges = messages.map(exchangeOf);
  if (exchanges.length) document.body.classList.add('begun');
  if (exchanges.length && session.id) talks.note(session.id, exchanges[0].asked.query);
  const heightBefore = document.documentElement.scrollHeight;
  page.talk.prepend(...exchanges.map((exchange) => exchange.node));
  earlierThan = words(payload.next_before) || null;
  page.earlier.hidden = !earlierThan;
  if (!exchanges.length) return;
  if (isFirst && !running) {
    exchanges.at(-1).node.scrollIntoView({ block: 'start', behavior: 'instant' });
  } else {
    const grown = document.documentElement.scrollHeight - heightBefore;
    window.scrollBy({ top: grown, behavior: 'instant' });
    exchanges.at(-1).node.scrollIntoView({ block: 'end', behavior: 'instant' });
    announce(`${plural(exchanges.length, 'earlier question', 'earlier questions')} shown.`);
  }
}

function exchangeOf(message) {
  const asked = { query: words(message.query), mode: words(message.mode) || 'full_book' };
  if (message.selected_text) asked.selected_text = words(message.selected_text);
  if (byId('book') && message.book) asked.book = words(message.book);
  const exchange = new Exchange(asked);
  exchange.finish(message);
  if (message.status === 'failed') {
    exchange.fail(FAILED_THEN);
  } else if (message.status === 'pending') {
    exchange.fail(PENDING_THEN, { state: 'pending' });
  }
  return exchange;
}

function beginAnew() {
  running?.controller.abort();
  running = null;
  showRunning(false);
  session.keep(null);
  earlierThan = null;
  page.earlier.hidden = true;
  page.talk.replaceChildren();
  document.body.classList.remove('begun');
  notify('');
  complain('');
  announce('New session.');
  window.scrollTo({ top: 0, behavior: 'instant' });
  page.question.focus();
}

/* ---- The composer ---- */

// The book can be chosen where there are several.
const OPTIONS = ['book', 'top_k', 'chapter_filter', 'book_version', 'page_url'].filter((name) => byId(name));

function chosenMode() {
  return page.form.elements.mode.value === 'selected_text' ? 'selected_text' : 'full_book';
}

function chooseMode(mode) {
  page.form.elements.mode.value = mode;
  showMode();
}

function showMode() {
  byId('selection-field').hidden = chosenMode() !== 'selected_text';
  if (!page.selection.value.trim()) unfoldSelection(true); // There is nothing to see yet, but a place to paste.
  showSelection();
}

function showSelection() {
  byId('selection-words').textContent = shortened(page.selection.value, 200) || 'none yet';
  showCount();
}

function unfoldSelection(open) {
  byId('selection-editor').hidden = !open;
  byId('selection-toggle').setAttribute('aria-expanded', String(open));
}

function showCount() {
  const length = lengthOf(page.selection.value.trim());
  const count = byId('selection-count');
  const number = length.toLocaleString('en');
  const isWrong = length > SELECTION_MAX || (length > 0 && length < SELECTION_MIN);
  count.classList.toggle('wrong', isWrong);
  if (length > SELECTION_MAX) count.textContent = `${number} characters: at most 10,000`;
  else if (isWrong) count.textContent = `${number} characters: at least ${SELECTION_MIN}`;
  else count.textContent = length ? plural(number, 'character', 'characters') : '10 to 10,000 characters';
}

function complain(text, field) {
  page.problem.textContent = text;
  for (const marked of page.form.querySelectorAll('[aria-invalid]')) marked.removeAttribute('aria-invalid');
  if (!field) return;
  if (field === page.selection) unfoldSelection(true);
  field.setAttribute('aria-invalid', 'true');
  field.focus();
}

/** Marks the fields a 422 names, where the reader can mend them. */
function markFields(errors) {
  for (const { field } of list(errors).map(record)) {
    const name = words(field).split('.').at(-1);
    const input = { query: page.question, selected_text: page.selection }[name] ?? (OPTIONS.includes(name) ? byId(name) : null);
    if (!input) continue;
    input.setAttribute('aria-invalid', 'true');
    if (input === page.selection) unfoldSelection(true);
    if (OPTIONS.includes(name) && name !== 'book') byId('options').open = true;
  }
}

/** What to send, or null after saying what is missing. */
function composed(query) {
  const asked = { query, mode: chosenMode() };
  const length = lengthOf(query);
  complain('');
  if (!length) {
    complain('Write a question first.', page.question);
    return null;
  }
  if (length > QUERY_MAX) {
    complain(`The question has ${length.toLocaleString('en')} characters; at most 2,000 are taken.`, page.question);
    return null;
  }
  if (asked.mode === 'selected_text') {
    asked.selected_text = page.selection.value.trim();
    const selected = lengthOf(asked.selected_text);
    if (selected < SELECTION_MIN || selected > SELECTION_MAX) {
      complain(`The selected text has ${plural(selected.toLocaleString('en'), 'character', 'characters')}; it must have 10 to 10,000.`, page.selection);
      return null;
    }
  }
  for (const name of OPTIONS) {
    const value = byId(name).value.trim();
    if (value) asked[name] = name === 'top_k' ? Number(value) : value;
  }
  return asked;
}

function submit() {
  if (running) {
    announce('An answer is still arriving. Stop it, or wait for its end.');
    return;
  }
  const asked = composed(page.question.value.trim());
  if (!asked) return;
  page.question.value = '';
  fitQuestion();
  put(asked);
}

function select(text) {
  page.selection.value = [...text.trim()].slice(0, SELECTION_MAX).join('');
  page.selection.scrollTop = 0;
  unfoldSelection(false);
  chooseMode('selected_text');
}

/** Puts a question into the composer as it was asked, to be changed there. */
function edit(asked) {
  if (asked.mode === 'selected_text' && asked.selected_text) select(words(asked.selected_text));
  else dropSelection();
  page.question.value = words(asked.query);
  fitQuestion();
  page.question.focus();
  announce('The question is in the field below. Change it and ask.');
}

function useAsSelection(text) {
  select(text);
  page.question.focus({ preventScroll: true });
  announce('This is now the selected text. The next question is answered from it alone.');
}

function dropSelection() {
  page.selection.value = '';
  chooseMode('full_book');
}

function removeSelection() {
  dropSelection();
  complain('');
  page.question.focus({ preventScroll: true });
  announce('The selected text is removed. Questions go to the whole book.');
}

function stop() {
  running?.controller.abort();
  page.question.focus({ preventScroll: true });
}

/* ---- Begin ---- */

const fitQuestion = growing(page.question);

page.form.addEventListener('submit', (event) => {
  event.preventDefault();
  submit();
});
page.question.addEventListener('keydown', (event) => {
  // While an input method composes a word, Enter belongs to it.
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  submit();
});
page.question.addEventListener('input', () => {
  if (page.problem.textContent || page.question.hasAttribute('aria-invalid')) complain('');
});
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && running && !event.isComposing) stop();
});
page.selection.addEventListener('input', showSelection);
byId('selection-toggle').addEventListener('click', () => unfoldSelection(byId('selection-editor').hidden));
byId('selection-remove').addEventListener('click', removeSelection);
byId('selection-chip').addEventListener('keydown', (event) => {
  if (event.key !== 'Delete' && event.key !== 'Backspace') return;
  event.preventDefault();
  removeSelection();
});
page.stop.addEventListener('click', stop);
for (const radio of page.form.elements.mode) radio.addEventListener('change', showMode);
byId('new-session').addEventListener('click', beginAnew);
byId('talks-button').addEventListener('click', () => showTalks(byId('talks').hidden));
for (const id of ['talks', 'talks-button']) {
  byId(id).addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || byId('talks').hidden) return;
    event.stopPropagation(); // An answer that arrives meanwhile goes on.
    showTalks(false);
    byId('talks-button').focus();
  });
}
page.earlier.addEventListener('click', () => showHistory({ before: earlierThan }));
for (const example of document.querySelectorAll('[data-example]')) {
  example.addEventListener('click', () => {
    if (running) return;
    const asked = composed(example.textContent.trim());
    if (asked) put(asked);
    page.question.focus({ preventScroll: true });
  });
}

session.load();
showMode();
showHistory();
