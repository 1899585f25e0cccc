/** Show a source's quote beside its mark while the mark is hovered or focused. */
import { make } from './dom.js';

const SHOWN_CHARS = 600;
const LEAVE_MS = 200; // The way from the mark to the quote.

export class Quotes {
  #timer = 0;

  constructor(root) {
    this.node = make('div', { class: 'quote', id: 'quote', role: 'tooltip', hidden: true, part: 'quote' });
    this.node.addEventListener('pointerenter', () => clearTimeout(this.#timer));
    this.node.addEventListener('pointerleave', () => this.#hideSoon());
    this.root = root;
    root.append(this.node);
  }

  offer(mark, find) {
    const show = () => this.#show(mark, find());
    mark.addEventListener('pointerenter', (event) => event.pointerType === 'mouse' && show());
    mark.addEventListener('focus', show);
    mark.addEventListener('pointerleave', () => this.#hideSoon());
    mark.addEventListener('blur', () => this.hide());
  }

  #hideSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.hide(), LEAVE_MS);
  }

  /** Hide the quote. Returns whether one was shown. */
  hide() {
    clearTimeout(this.#timer);
    const wasShown = !this.node.hidden;
    this.node.hidden = true;
    this.mark?.removeAttribute('aria-describedby');
    return wasShown;
  }

  #show(mark, { source, cited }) {
    this.hide();
    const quote = source.quote_text || source.quote || '';
    const words = cited?.text ?? '';
    const at = words ? quote.indexOf(words) : -1;
    const from = Math.max(0, at - 160);
    const end = from + SHOWN_CHARS;
    const body = make('blockquote', { dir: 'auto' });
    if (at < 0) body.append(words || quote.slice(0, SHOWN_CHARS));
    else body.append(from ? '… ' : '', quote.slice(from, at), make('mark', { text: words }), quote.slice(at + words.length, Math.max(end, at + words.length)), end < quote.length ? ' …' : '');
    this.node.replaceChildren(make('strong', { dir: 'auto', text: (source.heading_path ?? []).join(' › ') }), body);
    this.node.hidden = false;
    this.mark = mark;
    mark.setAttribute('aria-describedby', 'quote');
    const box = mark.getBoundingClientRect();
    const { width, height } = this.node.getBoundingClientRect();
    const zoom = this.node.currentCSSZoom ?? 1;
    this.node.style.left = `${Math.max(8, Math.min(box.left - width / 2, document.documentElement.clientWidth - width - 8)) / zoom}px`;
    // Not over the panel's head: who goes up to close it would stay in the quote.
    const highest = Math.max(8, this.root.querySelector('.talk').getBoundingClientRect().top);
    const above = box.top - height - 6;
    this.node.style.top = `${(above >= highest ? above : Math.max(8, Math.min(box.bottom + 6, innerHeight - height - 8))) / zoom}px`;
  }
}
