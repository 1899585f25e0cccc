/** Show a question and its answer, with marks that lead to the cited words. */
import { button, copy, make } from './dom.js';
import { MarkdownView } from './markdown.js';
import { sentenceOf } from './words.js';

const WORD = /[\p{L}\p{M}\p{N}]+/gu;

function wordSet(text) {
  return new Set(text.toLowerCase().match(WORD) ?? []);
}

/** Return the citation that shares most words with a claim; the first one if none shares any. */
function nearest(claim, citations) {
  const wanted = wordSet(claim);
  const shared = ({ text }) => [...wordSet(text ?? '')].filter((word) => wanted.has(word)).length;
  return citations.reduce((best, one) => (best && shared(best) >= shared(one) ? best : one), null);
}

/** Return the sentence that ends at a mark. */
function claimOf(mark) {
  const block = mark.closest('p, li, td, blockquote, h4, h5, h6') ?? mark.parentElement;
  const range = document.createRange();
  range.setStart(block, 0);
  range.setEndBefore(mark);
  return range.toString().trim().split(/(?<=[.!?。])\s+/).filter((one) => wordSet(one).size > 1).at(-1) ?? '';
}

export class Exchange {
  sources = [];
  citations = [];
  answer = '';

  constructor(asked, panel) {
    Object.assign(this, { asked, panel, say: panel.say });
    this.body = make('div', { class: 'answer', dir: 'auto', part: 'answer' });
    this.state = make('p', { class: 'state', text: this.say('thinking') });
    this.tools = make('div', { class: 'tools' });
    this.node = make('div', { class: 'exchange' },
      make('h3', { class: 'asked', dir: 'auto' }, make('span', { class: 'unseen', dir: 'auto', text: `${this.say('you_asked')}: ` }), asked.query));
    if (asked.selection) this.node.append(make('blockquote', { class: 'chosen', dir: 'auto', text: asked.selection }));
    this.note = make('p', { class: 'note', hidden: true });
    this.node.append(this.body, this.state, this.tools, this.note);
    this.view = new MarkdownView(this.body, {
      to: (address) => this.#link(address),
      cite: (number) => this.#mark(number),
      code: (made) => this.#code(made),
      table: (made) => make('div', { class: 'scroller', tabindex: '0' }, made),
    });
  }

  #link(address) {
    const url = this.panel.links.resolve(address);
    return url && this.panel.linkTo(url, '');
  }

  #code(made) {
    const press = this.#copyButton(() => made.textContent, made);
    return make('div', { class: 'code', dir: 'ltr' }, make('pre', { tabindex: '0' }, made), press);
  }

  #copyButton(textOf, shown) {
    const tell = (text) => {
      this.note.hidden = !text;
      this.note.textContent = text;
      this.panel.live.textContent = text;
    };
    const copyNow = ({ currentTarget }) => copy(textOf(), { pressed: currentTarget, shown, say: this.say, tell });
    return button(this.say('copy'), copyNow, { class: 'small' });
  }

  #mark(number) {
    const source = this.sources[number - 1];
    if (!source) return null;
    const url = this.panel.links.resolve(source.url);
    const mark = url ? this.panel.linkTo(url, '') : make('span', { tabindex: '0' });
    mark.className = 'mark';
    mark.textContent = number;
    mark.dataset.source = number;
    mark.setAttribute('aria-label', this.say('source', { n: number }));
    this.panel.quotes.offer(mark, () => ({ source, cited: this.#cited(mark, number) }));
    return mark;
  }

  #cited(mark, number) {
    return nearest(claimOf(mark), this.citations.filter(({ source }) => source === number));
  }

  /** Give the marks the very words that they rest on. */
  #placeMarks() {
    for (const mark of this.body.querySelectorAll('a.mark')) {
      const cited = this.#cited(mark, Number(mark.dataset.source));
      const url = cited && this.panel.links.resolve(cited.url);
      const source = this.sources[Number(mark.dataset.source) - 1];
      this.panel.links.aim(mark, url ?? this.panel.links.resolve(source.url), cited?.text || (source.quote_text ?? ''));
    }
  }

  begin(sources) {
    this.sources = Array.isArray(sources) ? sources : [];
    this.panel.links.trust(this.sources);
  }

  add(text) {
    this.answer += text;
    this.state.hidden = true;
    this.painting ??= setTimeout(() => {
      this.painting = null;
      this.#show();
      this.panel.view.follow(this);
    }, 60);
  }

  /** Say how it stands, to screen readers too. */
  tell(text) {
    this.state.hidden = !text;
    this.state.textContent = text;
    this.panel.live.textContent = text;
  }

  #stopPainting() {
    clearTimeout(this.painting);
    this.painting = null;
  }

  /** Show the whole answer. */
  finish(reply) {
    this.#stopPainting();
    this.begin(reply.sources);
    Object.assign(this, {
      answer: reply.answer, citations: reply.citations ?? [], status: reply.status,
      sessionId: reply.session_id, messageId: reply.message_id, rating: reply.rating, degraded: reply.degraded,
    });
    this.tell(this.#ending());
    this.showAgain();
    this.#showTools();
  }

  /** Return what is said below a whole answer: that the model came to its limit. */
  #ending() {
    return this.degraded?.includes('llm_length') ? this.say('t_broken') : '';
  }

  /** Show the answer with links to where its places are, as it is known by now. */
  showAgain() {
    this.#show({ afresh: true });
    this.#placeMarks();
  }

  /** Show the answer. What has the focus in it keeps it, though its block is made anew. */
  #show(how) {
    const all = () => [...this.body.querySelectorAll('a, button, [tabindex]')];
    const at = all().indexOf(this.panel.root.activeElement);
    this.view.show(this.answer, how);
    if (at < 0 || all()[at] === this.panel.root.activeElement) return;
    all()[at]?.focus({ preventScroll: true });
    this.panel.view.keepFocus();
  }

  #showTools() {
    this.tools.replaceChildren(this.#copyButton(() => this.#copied(), this.body));
    if (!this.messageId) return;
    const rate = (rating) => this.#rate(rating);
    this.thumbs = [['up', 'helpful'], ['down', 'not_helpful']].map(([rating, label]) =>
      button(this.say(label), () => rate(rating), { class: 'small', 'aria-pressed': this.rating === rating, 'data-rating': rating }));
    this.tools.append(...this.thumbs);
  }

  async #rate(rating) {
    if (!(await this.#send({ rating }))) return;
    this.tools.querySelector('form')?.remove();
    if (rating === 'down') this.#askWhy();
  }

  #askWhy() {
    const field = make('textarea', { rows: 2, maxlength: 2000, 'aria-label': this.say('why'), placeholder: this.say('why'), dir: 'auto' });
    const form = make('form', { class: 'reason' }, field, make('button', { text: this.say('send_reason'), class: 'small' }));
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      if (!(await this.#send({ rating: 'down', comment: field.value.trim() || null }))) return;
      form.replaceChildren(make('p', { text: this.say('thanks'), role: 'status' }));
      this.panel.view.keepFocus();
    });
    this.tools.append(form);
    field.focus();
  }

  /** Send a rating. Returns whether it was taken; if not, the reader is told why. */
  async #send(body) {
    try {
      await this.panel.service.rate(this.sessionId, this.messageId, body);
    } catch (trouble) {
      this.tell(sentenceOf(trouble, this.say));
      return false;
    }
    this.tell(this.#ending());
    this.rating = body.rating;
    for (const thumb of this.thumbs) thumb.setAttribute('aria-pressed', thumb.dataset.rating === body.rating);
    this.panel.remember();
    this.panel.announceEvent('feedback', { ...body, message_id: this.messageId });
    return true;
  }

  /** Say why there is no whole answer, and offer to ask again, or `elsewhere`. */
  fail(sentence, elsewhere = null) {
    this.#stopPainting();
    this.#show();
    this.#placeMarks(); // Without citations they rest on the whole of their passage.
    this.tell(sentence);
    this.failed = { sentence, elsewhere };
    this.tools.replaceChildren(button(this.say('again'), () => this.panel.askAgain(this), { class: 'small again' }));
    if (elsewhere) this.tools.append(make('a', { href: elsewhere, text: this.say('open_page'), target: '_top' }));
  }

  /** Show what was kept of it. */
  restore(record) {
    if (!record.failed) {
      this.finish(record);
      return;
    }
    this.begin(record.sources);
    this.answer = record.answer;
    this.fail(record.failed.sentence, record.failed.elsewhere);
  }

  /** Return the answer as it is read aloud: without code and marks, each block and cell apart from the next. */
  spoken() {
    const copied = this.body.cloneNode(true);
    for (const one of copied.querySelectorAll('.code, .mark')) one.remove();
    for (const one of copied.querySelectorAll('br, ul, ol')) one.before(' ');
    for (const one of [...copied.querySelectorAll('p, h4, li, td, th')].reverse()) one.append(/[\p{L}\p{N}]\s*$/u.test(one.textContent) ? '. ' : ' ');
    return copied.textContent.replace(/\s+/g, ' ').replaceAll(' . ', '. ').trim();
  }

  /** Return the answer as it is copied, in Markdown: with the places that its marks lead to. */
  #copied() {
    const isCited = (number) => this.body.querySelector(`[data-source="${number}"]`);
    const places = this.sources.map(({ heading_path: path, url }, at) => [at + 1, `[${at + 1}] ${(path ?? []).join(' > ')}${url ? ` <${url}>` : ''}`]);
    return [this.answer, places.filter(([number]) => isCited(number)).map(([, place]) => place).join('\n')].filter(Boolean).join('\n\n');
  }

  /** Return what is kept between pages; null while it is being answered. */
  record() {
    const { asked, answer, citations, status, failed, degraded } = this;
    if (!failed && !status) return null;
    const sources = this.sources.map(({ url, heading_path, quote_text, cited }) => ({ url, heading_path, quote_text: cited || failed ? quote_text : '', cited }));
    return { asked, answer, sources, citations, status, failed, degraded, session_id: this.sessionId, message_id: this.messageId, rating: this.rating };
  }
}
