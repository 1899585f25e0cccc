/** The tag's script: a button, a shortcut, the offer at a selection; it loads the panel when it is needed. */
import { ENTRY_STYLE } from './entry_style.js';
import { followTheme, THEME_ATTRIBUTES } from './theme.js';

/* global LABELS, PANEL_FILE */

const SELECTION_MIN = 10;
const SETTLED_MS = 250; // A selection that is still being drawn moves faster than this.
const ASSETS = 'widget/assets/';

/** Return the options: the tag's `data-*` attributes, then `window.RagbotConfig`. */
function readConfig(tag) {
  const config = { ...window.RagbotConfig, ...tag?.dataset };
  const language = (config.lang || document.documentElement.lang || 'en').toLowerCase().replaceAll('_', '-'); // `zh_CN` is meant as `zh-CN`.
  const labels = labelsOf(language) ?? labelsOf(language.split('-')[0]) ?? labelsOf('en');
  return { ...config, base: baseOf(config.api, tag?.src), language: labels[0], labels };
}

/** Return a language with the words of the button and of the offer, or undefined. */
function labelsOf(language) {
  const at = `\n${LABELS}\n`.indexOf(`\n${language}|`);
  return at < 0 ? undefined : LABELS.slice(at).split('\n', 1)[0].split('|');
}

/** Return the service's address with a slash at its end: as it is given, else where the script came from. */
function baseOf(api, source = location.href) {
  // No URL and no expression: at load each takes a fifth of a millisecond, and `source` is an absolute address.
  const address = before('#', before('?', api ? new URL(api, location.href).href : source));
  if (api) return address.endsWith('/') ? address : `${address}/`;
  const folder = address.slice(0, address.lastIndexOf('/') + 1);
  return folder.endsWith(ASSETS) ? folder.slice(0, -ASSETS.length) : folder; // A tag with a hash has it there.
}

/** Return what comes before a sign in a text; the text where it is not in it. */
function before(sign, text) {
  const at = text.indexOf(sign);
  return at < 0 ? text : text.slice(0, at);
}

function isRightToLeft(language) {
  return ['ar', 'he', 'ur'].includes(language.split('-')[0]);
}

/** Return whether an element is the widget's; in Firefox a selection in the panel is given as it is, others give its place in the page. */
function isWithin(element, host) {
  return Boolean(host?.contains(element) || host?.shadowRoot.contains(element));
}

/** Return the page's selected text where a question can be asked about it, else an empty text. */
function selectedText(host) {
  const selection = getSelection();
  if (!selection?.rangeCount || selection.isCollapsed) return '';
  const node = selection.getRangeAt(0).commonAncestorContainer;
  const element = node instanceof Element ? node : node.parentElement;
  if (!element || isWithin(element, host) || element.closest('input, textarea, [contenteditable=""], [contenteditable=true]')) return '';
  const text = selection.toString().trim();
  return [...text.slice(0, 2 * SELECTION_MIN)].length < SELECTION_MIN ? '' : text;
}

function isShortcut(event, wanted) {
  const keys = wanted.toLowerCase().split('+');
  const key = keys.pop();
  const modified = keys.includes('mod') ? event.ctrlKey || event.metaKey : event.ctrlKey === keys.includes('ctrl');
  // Another alphabet's letters, and what Option makes of a key on a Mac, are not those of an English keyboard: there the place counts.
  const isKey = event.key.toLowerCase() === key || ((event.key > '~' || event.key === 'Dead') && [`Key${key.toUpperCase()}`, `Digit${key}`].includes(event.code));
  return isKey && modified && event.shiftKey === keys.includes('shift') && event.altKey === keys.includes('alt');
}

class Widget {
  #offer = null;
  #settling = 0; // The timer of an offer that waits for the selection.
  #failures = 0; // How often the panel could not be loaded.

  constructor(config) {
    this.config = config;
  }

  /** Put the button into the page, once. Nothing else is made before it is needed. */
  begin() {
    if (this.host) return;
    const { config } = this;
    this.host = document.createElement('ragbot-widget');
    this.root = this.host.attachShadow({ mode: 'open' });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(ENTRY_STYLE);
    this.root.adoptedStyleSheets = [sheet];
    this.host.setAttribute('lang', config.language);
    this.host.setAttribute('dir', isRightToLeft(config.language) ? 'rtl' : 'ltr');
    if (config.position === 'left') this.host.setAttribute('data-left', '');
    this.theme = followTheme(this.host, config.theme);
    this.button = this.#button('launch', config.label || config.labels[1], () => this.open());
    this.button.hidden = config.button === 'off' || Boolean(config.trigger) || config.mode === 'page';
    this.#stay();
    document.dispatchEvent(new Event('ragbot:ready'));
  }

  /** Wait until the button is there: it is made at once if the page is read. */
  async begun() {
    if (document.readyState === 'loading') await new Promise((done) => { document.addEventListener('DOMContentLoaded', done, { once: true }); });
    this.begin();
  }

  #button(part, label, run) {
    const button = document.createElement('button');
    button.setAttribute('type', 'button');
    button.setAttribute('class', part);
    button.setAttribute('part', part);
    button.textContent = label;
    // A press must not take the page's selection away.
    button.addEventListener('mousedown', (event) => event.preventDefault());
    button.addEventListener('click', run);
    this.root.append(button);
    return button;
  }

  /** Keep the widget in the page and in its theme: some sites put a new body, or all of the page, in the place of the old one. */
  #stay() {
    const page = this.config.mode === 'page' ? document.getElementById('ragbot-page') : null;
    const observer = new MutationObserver(() => {
      attach();
      if (document.body) this.theme.show();
    });
    const attach = () => {
      for (const node of [document, document.documentElement, document.body]) {
        if (node) observer.observe(node, { childList: true, attributes: true, attributeFilter: THEME_ATTRIBUTES });
      }
      if (!document.body) return; // It is being replaced.
      if (this.host.isConnected || page?.isConnected) return; // The panel takes the page's place itself.
      document.body.append(this.host);
      observer.takeRecords(); // That was our own change.
      this.afterMove?.();
    };
    attach();
  }

  listen() {
    const { config } = this;
    const shortcut = config.shortcut || 'mod+i';
    addEventListener('keydown', (event) => {
      if (shortcut === 'off' || event.defaultPrevented || event.isComposing || !event.key || !isShortcut(event, shortcut)) return;
      if (event.composedPath()[0].isContentEditable) return; // Ctrl+I is for italics there.
      event.preventDefault();
      this.open({ selection: selectedText(this.host) });
    });
    document.addEventListener('click', (event) => {
      const trigger = config.trigger && event.target.closest?.(config.trigger);
      if (!trigger) return;
      event.preventDefault();
      this.open({}, trigger); // In Safari a pressed button does not get the focus.
    });
    if (config.selection === 'off' || config.mode === 'page') return;
    document.addEventListener('selectionchange', () => this.#offerSoon());
  }

  /** Offer to ask about the selection when neither it nor the page has moved for a moment. */
  #offerSoon() {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.#offerSelection(), SETTLED_MS);
  }

  async #offerSelection() {
    this.#settling = 0;
    await this.begun();
    this.selection = selectedText(this.host);
    if (this.#offer) this.#offer.hidden = !this.selection;
    if (!this.selection) return;
    const offer = this.#offerButton();
    const box = getSelection().getRangeAt(0).getBoundingClientRect();
    const { width, height } = offer.getBoundingClientRect();
    const zoom = offer.currentCSSZoom ?? 1; // Buttons for larger text may enlarge the whole body.
    const below = box.bottom + height + 16 < innerHeight;
    offer.style.left = `${Math.max(8, Math.min(box.left, document.documentElement.clientWidth - width - 8)) / zoom}px`;
    const top = below ? box.bottom + 8 : box.top - height - 8;
    offer.style.top = `${Math.max(8, Math.min(top, innerHeight - height - 8)) / zoom}px`; // The selection may be out of the window.
  }

  #offerButton() {
    if (this.#offer) return this.#offer;
    this.#offer = this.#button('offer', this.config.labels[2], () => this.open({ selection: this.selection }));
    addEventListener('scroll', () => {
      if (this.#offer.hidden && !this.#settling) return;
      this.#offer.hidden = true;
      this.#offerSoon();
    }, { passive: true, capture: true });
    return this.#offer;
  }

  /** Load the panel once. A failed load is tried again by the next call. */
  panel() {
    // Some browsers remember for an address that it could not be loaded: each try has its own.
    const again = this.#failures ? `?again=${this.#failures}` : '';
    this.loading ??= import(new URL(`widget/assets/${PANEL_FILE}${again}`, this.config.base).href)
      .then(({ openPanel }) => openPanel(this))
      .catch((error) => {
        this.loading = null;
        this.#failures += 1;
        throw error;
      });
    return this.loading;
  }

  /** Open the panel. When it is closed, the focus goes to `opener`, else to what has it now. */
  async open(given = {}, opener = null) {
    await this.begun();
    if (this.#offer) this.#offer.hidden = true;
    const focused = document.activeElement === this.host ? this.root.activeElement : document.activeElement;
    this.button.setAttribute('aria-busy', 'true'); // A slow network takes seconds for the panel.
    try {
      (await this.panel()).open(given, opener ?? focused);
      this.root.querySelector('.elsewhere')?.remove();
    } catch {
      this.#leadElsewhere();
    }
    this.button.removeAttribute('aria-busy');
  }

  /** Show a link to a page that needs no panel. */
  #leadElsewhere() {
    if (this.root.querySelector('.elsewhere')) return;
    const link = document.createElement('a');
    link.className = 'launch elsewhere';
    link.href = this.config.fallback || new URL('ask', this.config.base).href;
    link.textContent = `${this.button.textContent} ↗`;
    this.button.hidden = true;
    this.root.append(link);
    link.focus();
  }
}

/** Run now, or once the page is read. */
function whenRead(run) {
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', run, { once: true });
  else run();
}

/** Run now, or when a page that the browser has loaded ahead is shown: till then the talk goes on in another one. */
function whenShown(run) {
  if (document.prerendering) document.addEventListener('prerenderingchange', run, { once: true });
  else run();
}

/** Return whether the page before may have left a talk. On a first page nothing is read: the browser would fetch the tab's storage. */
function mayGoOn() {
  const { activation } = window.navigation ?? {};
  return !activation || Boolean(activation.from) || !['push', 'replace'].includes(activation.navigationType);
}

/** Go on with a talk, or the way to a citation, that began on the page before. */
function goOn(widget) {
  let kept = null;
  try {
    kept = JSON.parse(sessionStorage.getItem(`ragbot ${widget.config.base} ${widget.config.book ?? ''}`));
  } catch {
    // Without storage the talk lasts as long as the page.
  }
  if (kept?.open || kept?.going) widget.panel().then((panel) => panel.goOn()).catch(() => {});
}

function begin(tag) {
  if (window.Ragbot?.version) return;
  const widget = new Widget(readConfig(tag));
  window.Ragbot = {
    version: 1,
    open: (given) => widget.open(given),
    close: () => widget.loading?.then((panel) => panel.close()),
    ask: (question, given = {}) => widget.open({ ...given, question, send: true }),
  };
  widget.listen();
  if (widget.config.mode === 'page') whenShown(() => widget.open({ page: true }));
  else whenRead(() => {
    widget.begin();
    whenShown(() => mayGoOn() && goOn(widget));
  });
}

begin(document.currentScript ?? document.querySelector('script[src*="/widget.js"], script[src*="/widget/assets/"]'));
