/** The panel: the talk, the field for a question, and what is kept between pages. */
import { button, keepFromSite, make } from './dom.js';
import { Exchange } from './exchange.js';
import { makeFrame } from './frame.js';
import { Links } from './links.js';
import { PANEL_STYLE } from './panel_style.js';
import { watchColors } from './page_colors.js';
import { isBesideTheReader, putIntoAddress, questionInAddress } from './page_mode.js';
import { findOnPage, lightUp, putOut } from './place.js';
import { Quotes } from './quotes.js';
import { Room } from './room.js';
import { Service, stopOf, Trouble } from './service.js';
import { Store } from './store.js';
import { View } from './view.js';
import { loadWords, sentenceOf } from './words.js';

export { findOnPage, lightUp };

const QUESTION_MAX = 2000;
const SELECTION_MAX = 10000;
const WAKING_MS = 6000; // An awake service says something sooner.

/** Make the panel, closed. */
export async function openPanel(widget) {
  const say = await loadWords(widget.config.language, widget.config.base);
  const panel = new Panel(widget, say);
  widget.afterMove = () => panel.view.goOnAfterMove(); // A site has put another body in the place of the old one.
  return panel;
}

class Panel {
  #exchanges = [];
  #running = null; // {exchange, controller, place, waking}
  #afterwards = null; // What to do when the running question is over.
  #opener = null;
  #selection = '';
  mostChars = QUESTION_MAX;
  #going = null; // {href, words} of the mark that was followed last.

  constructor({ config, host, root, button: launch, theme }, say) {
    Object.assign(this, { config, host, root, launch, say, isPage: config.mode === 'page' });
    this.service = new Service(config.base, config.book);
    this.links = new Links({ isPage: this.isPage, base: config.base });
    this.store = new Store(`ragbot ${config.base} ${config.book ?? ''}${this.isPage ? ' page' : ''}`);
    host.toggleAttribute('data-page', this.isPage); // Of a book's page the widget is not printed.
    this.room = new Room({ isLeft: config.position === 'left', isWanted: config.room !== 'off' && !this.isPage });
    this.#draw();
    this.quotes = new Quotes(root);
    this.book = this.#learn();
    watchColors(theme.saw);
    this.#restore();
    addEventListener('pagehide', () => this.remember()); // The question that is being typed, too.
    addEventListener('pageshow', ({ persisted }) => persisted && this.#comeBack());
  }

  /* ---- What is drawn ---- */

  #draw() {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(PANEL_STYLE);
    this.root.adoptedStyleSheets = [...this.root.adoptedStyleSheets, sheet];
    Object.assign(this, makeFrame(this, {
      close: () => this.close(), beginAnew: () => this.beginAnew(), stop: () => this.stop(), ask: () => this.#askField(),
      removeSelection: () => this.#removeSelection(), key: (event) => this.#key(event), mostChars: () => this.mostChars,
    }));
    this.view = new View(this);
    this.root.append(this.panel);
  }

  #key(event) {
    keepFromSite(event);
    if (event.key !== 'Escape' || event.isComposing) return;
    if (this.quotes.hide()) return;
    if (this.#running) this.stop();
    else if (!this.isPage) this.close();
  }

  async #learn() {
    // The panel works without it; a question tells what the trouble is.
    const book = await this.service.describe(location.href.split('#')[0]).catch(() => ({}));
    this.links.know(book);
    for (const exchange of this.#exchanges) exchange.showAgain(); // Those of a talk that was kept.
    this.service.needsToken = Boolean(book.widget_token?.required);
    this.mostChars = book.capabilities?.max_question_chars ?? QUESTION_MAX;
    if (this.isPage && book.title) this.#nameBook(book);
    const examples = (book.examples ?? []).slice(0, 4);
    if (examples.length) {
      this.examples.replaceChildren(make('p', { class: 'state', text: this.say('for_example') }),
        ...examples.map((example) => button(example, () => this.ask(example, this.#takeSelection()), { dir: 'auto' })));
    }
    return book;
  }

  /** Let the title of the page lead to the book, as that of the form does. */
  #nameBook({ title, site_url: site }) {
    const text = this.config.title || title;
    const address = this.links.resolve(site);
    this.title.replaceChildren(address ? make('a', { href: address.href, text, target: '_top' }) : text);
  }

  /** Make a link to a place of the book; `words` are lit up there. */
  linkTo(url, words) {
    const link = make('a');
    this.links.aim(link, url, words);
    link.addEventListener('click', (event) => this.#follow(event, link));
    return link;
  }

  #follow(event, link) {
    const url = new URL(link.href);
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    if (this.isPage || url.origin !== location.origin) return;
    event.preventDefault();
    this.links.leave();
    putOut();
    const isSheet = matchMedia('(max-width: 640px)').matches; // It lies over the page.
    if (this.links.isHere(url)) {
      if (this.links.show(url, link.words)) this.links.stay(url, link.words);
      else this.links.arrive(url, link.words, { isNew: false }); // A router may draw what the new anchor stands for.
      link.focus({ preventScroll: true }); // The browser took it away when the address got another anchor.
      this.quotes.hide();
      if (isSheet) this.close({ keepsFocus: true });
      return;
    }
    this.quotes.hide();
    if (isSheet) this.close({ keepsFocus: true });
    this.remember({ going: { href: url.href, words: link.words } });
    this.links.follow(url);
    // A site with a router stays loaded; another one goes on from what was kept.
    this.#arrive({ href: url.href, words: link.words });
  }

  async #arrive(going) {
    this.#going = going;
    await this.links.arrive(new URL(going.href), going.words);
    if (this.#going === going) this.remember({ going: null }); // Else the reader has followed another mark meanwhile.
  }

  announceEvent(name, detail = {}) {
    document.dispatchEvent(new CustomEvent(`ragbot:${name}`, { detail }));
  }

  /* ---- Open, close, go on ---- */

  open({ question = '', selection = '', send = false } = {}, opener = null) {
    const wasHidden = this.panel.hidden;
    if (wasHidden) this.#opener = opener;
    this.#show();
    if (this.isPage && wasHidden) this.#takePage();
    if (selection) this.#select(selection);
    if (question) this.field.value = question;
    this.fitField();
    if (question && send) this.#askField();
    if (!this.isPage || !isBesideTheReader()) this.field.focus({ preventScroll: this.isPage });
    this.remember();
    if (wasHidden) this.announceEvent('open');
  }

  #show() {
    this.panel.hidden = false;
    this.launch.hidden = true;
    this.room.make(this.panel);
  }

  #takePage() {
    document.getElementById('ragbot-page')?.replaceChildren(this.host);
    const asked = questionInAddress();
    const last = this.#exchanges.at(-1);
    // A page that is loaded anew, or come back to, has its talk, and the question is the last one of it.
    if (!asked || asked === last?.asked.query) return void (last && this.view.bringUp(last));
    if (this.#running) this.field.value = asked;
    else this.ask(asked);
  }

  close({ keepsFocus = false } = {}) {
    if (this.panel.hidden || this.isPage) return;
    this.quotes.hide();
    this.panel.hidden = true;
    this.room.giveBack();
    this.launch.hidden = this.config.button === 'off' || Boolean(this.config.trigger);
    this.remember();
    if (!keepsFocus) (this.#opener?.isConnected && this.#opener !== document.body && !this.#opener.hidden ? this.#opener : this.launch).focus();
    this.announceEvent('close');
  }

  /** Go on with the talk that was open on the page before. */
  goOn() {
    const kept = this.store.load();
    if (kept.open) {
      this.#show();
      this.talk.scrollTop = this.talk.scrollHeight;
    }
    if (kept.going) this.book.then(() => this.#arrive(kept.going));
  }

  #restore() {
    const kept = this.store.load();
    this.sessionId = kept.sessionId ?? null;
    this.field.value = kept.draft?.text ?? '';
    this.#select(kept.draft?.selection ?? '');
    for (const record of kept.talk ?? []) this.#add(record.asked).restore(record);
    this.live.textContent = ''; // It was said when it was new.
    if (!kept.pending) return;
    const exchange = this.#add(kept.pending.asked);
    if (!kept.pending.place) exchange.fail(this.say('stopped')); // The service had not said yet where the answer is.
    else this.#run(exchange, (take, signal) => this.service.resume({ ...kept.pending.place, lastId: '' }, take, signal));
  }

  remember(changes = {}) {
    const talk = this.#exchanges.map((exchange) => exchange.record()).filter(Boolean);
    const pending = this.#running && { asked: this.#running.exchange.asked, place: this.#running.place };
    const draft = { text: this.field.value, selection: this.#selection };
    this.store.save({ open: !this.panel.hidden, sessionId: this.sessionId, talk, pending, draft, ...changes });
  }

  beginAnew() {
    this.stop();
    this.#running = null;
    this.#showRunning(false);
    this.sessionId = null;
    this.#clear();
    if (this.isPage) putIntoAddress('');
    this.links.leave();
    putOut();
    this.#removeSelection();
    this.remember();
  }

  #clear() {
    this.#exchanges = [];
    this.log.replaceChildren();
    this.welcome.hidden = false;
    this.anew.hidden = true;
  }

  /** Show the talk as it went on elsewhere: a page that the browser has kept for the way back shows an old one. */
  #comeBack() {
    if (!this.store.isOutdated()) return;
    this.#running?.controller.abort();
    this.#running = null;
    this.#clear();
    this.#restore();
    if (this.store.load().open) this.goOn();
    else this.close({ keepsFocus: true });
  }

  /* ---- Ask ---- */

  #select(text) {
    const start = [...text.slice(0, 2 * SELECTION_MAX)].slice(0, SELECTION_MAX).join('');
    this.#selection = start;
    this.chipText.textContent = start;
    this.chip.hidden = !start;
    this.chipNote.hidden = start === text;
    this.chipNote.textContent = start === text ? '' : this.say('selection_cut', { n: SELECTION_MAX.toLocaleString(this.config.language) });
  }

  #removeSelection() {
    this.#select('');
    this.field.focus();
  }

  #add(asked) {
    const exchange = new Exchange(asked, this);
    this.#exchanges.push(exchange);
    this.log.append(exchange.node);
    this.welcome.hidden = true;
    this.anew.hidden = false;
    return exchange;
  }

  /** Ask what stands in the field, which is empty then. */
  #askField() {
    const text = this.field.value;
    if (!text.trim() || this.#running || this.isTooLong()) return;
    this.field.value = '';
    this.fitField();
    this.view.putKeyboardAway();
    this.ask(text, this.#takeSelection());
  }

  /** Return the selection. The answer is from it once: the next question goes to the book. */
  #takeSelection() {
    const chosen = this.#selection;
    this.#select('');
    return chosen;
  }

  async ask(text, chosen = '') {
    const query = text.trim();
    if (!query || this.#running) return;
    const exchange = this.#add({ query, ...(chosen ? { selection: chosen } : {}) });
    this.view.bringUp(exchange);
    this.view.keepFocus();
    if (this.isPage) putIntoAddress(query);
    this.announceEvent('ask', { question: query, selection: chosen });
    await this.#run(exchange, async (take, signal) => {
      await this.book; // It says whether a token is needed.
      return this.service.ask(this.#body(exchange.asked), take, signal);
    });
  }

  #body({ query, selection }) {
    return {
      query,
      session_id: this.sessionId,
      ...(this.isPage ? {} : { page_url: location.href.split('#')[0].slice(0, 2000) }),
      ...(selection ? { mode: 'selected_text', selected_text: selection } : {}),
    };
  }

  async #run(exchange, call) {
    const controller = new AbortController();
    const run = { exchange, controller, place: null, waking: 0 };
    this.#running = run;
    this.#showRunning(true);
    exchange.tell(this.say('thinking'));
    run.waking = setTimeout(() => exchange.answer || exchange.tell(this.say('waking')), WAKING_MS);
    try {
      const answered = call((event, payload, place) => this.#take(run, { event, payload, place }), controller.signal);
      const reply = await Promise.race([answered, stopOf(controller.signal)]); // Not all that is waited for knows the signal.
      exchange.finish(reply);
      this.sessionId = reply.session_id ?? this.sessionId;
      this.live.textContent = `${this.say('answered')} ${exchange.spoken()}`;
      this.announceEvent('answer', { question: exchange.asked.query, answer: reply.answer, status: reply.status, message_id: reply.message_id });
    } catch (error) {
      this.#failed(exchange, error);
    } finally {
      clearTimeout(run.waking);
      if (this.#running === run) this.#running = null;
      this.#showRunning(Boolean(this.#running));
      if (this.#exchanges.includes(exchange)) this.remember(); // Else it belongs to a talk that is no more shown.
      this.view.follow(exchange);
      const next = this.#afterwards;
      this.#afterwards = null;
      next?.();
    }
  }

  #take(run, { event, payload, place }) {
    clearTimeout(run.waking); // It is awake; a model may think for long before its first word.
    if (event === 'sources') {
      run.place = place;
      run.exchange.begin(payload.sources);
      this.sessionId = payload.session_id ?? this.sessionId;
      this.remember();
    } else if (event === 'delta') run.exchange.add(payload.text ?? '');
    else if (event === 'network') run.exchange.tell(payload.isAway ? this.say('offline_waiting') : '');
  }

  #failed(exchange, error) {
    if (error.name === 'AbortError') return void exchange.fail(this.say('stopped'));
    const trouble = error instanceof Trouble ? error : new Trouble('unknown');
    if (['session_not_found', 'session_expired'].includes(trouble.code)) {
      this.sessionId = null;
      if (!exchange.answer) {
        this.#afterwards = () => this.askAgain(exchange);
        return;
      }
    }
    const isAway = ['unreachable', 'origin_not_allowed'].includes(trouble.code);
    const elsewhere = isAway ? this.config.fallback || new URL('ask', this.config.base).href : null;
    exchange.fail(sentenceOf(trouble, this.say), this.isPage ? null : elsewhere);
    this.announceEvent('error', { code: trouble.code });
  }

  /** Ask a question without a whole answer once more, at the end of the talk. */
  askAgain(exchange) {
    if (this.#running) return;
    this.#exchanges = this.#exchanges.filter((one) => one !== exchange);
    exchange.node.remove();
    this.ask(exchange.asked.query, exchange.asked.selection ?? '');
  }

  stop() {
    if (!this.#running) return;
    const { controller, place } = this.#running;
    if (place?.messageId) this.service.stop(place);
    controller.abort();
  }

  #showRunning(isRunning) {
    const hadFocus = [this.send, this.stopButton].includes(this.root.activeElement);
    this.send.hidden = isRunning;
    this.stopButton.hidden = !isRunning;
    for (const again of this.log.querySelectorAll('.again')) again.disabled = isRunning; // One question at a time.
    this.log.setAttribute('aria-busy', String(isRunning));
    if (hadFocus && !this.view.putKeyboardAway()) this.field.focus();
  }
}
