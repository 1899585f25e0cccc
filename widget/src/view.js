/** Keep what a reader sees of the talk, and the focus, where they are. */
import { isBesideTheReader } from './page_mode.js';

const END_PX = 2; // Browsers round.
const STILL_PX = 60; // A line that goes away moves the end of the talk as far.

export class View {
  #scrolled = 0; // How far the talk is.
  #focused = null; // What has the focus in the panel.
  #followed = null; // {node, top}: the question that is brought up while its answer grows, and where it was left.

  constructor({ root, panel, talk, isPage }) {
    Object.assign(this, { root, talk, isPage });
    talk.addEventListener('scroll', () => { this.#scrolled = talk.scrollTop; }, { passive: true });
    for (const move of ['wheel', 'touchmove']) panel.addEventListener(move, () => { this.#followed = null; }, { passive: true });
    panel.addEventListener('focusin', ({ target }) => { this.#focused = target; });
    panel.addEventListener('focusout', () => setTimeout(() => { this.#focused = root.activeElement; }));
  }

  /** Bring the scroll and the focus back, which an element loses when it is moved. */
  goOnAfterMove() {
    this.talk.scrollTop = this.#scrolled;
    if (document.activeElement === document.body) this.#focused?.focus({ preventScroll: true });
  }

  /** Let a question be seen, with as much below it as there is. */
  bringUp({ node }) {
    if (isBesideTheReader()) return;
    node.scrollIntoView({ block: 'start' });
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    // With nothing left below, it comes up no further before its answer grows.
    this.#followed = scrollTop + clientHeight > scrollHeight - END_PX ? { node, top: scrollTop } : null;
  }

  /** Bring the question up further while its answer grows, and no longer when it is on top, or when the reader has scrolled. */
  follow(exchange) {
    const { node, top } = this.#followed ?? {};
    if (node === exchange.node && Math.abs(this.#scroller.scrollTop - top) < STILL_PX) this.bringUp(exchange);
    else this.#followed = null;
  }

  get #scroller() {
    return this.isPage ? document.scrollingElement : this.talk;
  }

  /** Put the keyboard of a touch screen away, which lies over the answer. Returns whether there is one. */
  putKeyboardAway() {
    const isTouched = matchMedia('(pointer: coarse)').matches;
    if (isTouched) this.talk.focus({ preventScroll: true });
    return isTouched;
  }

  /** Keep the focus in the panel when what had it is gone: Esc and Tab go on from there. (The field would bring a phone's keyboard.) */
  keepFocus() {
    if (isBesideTheReader()) return;
    const within = this.root.activeElement;
    if (within ? !within.getClientRects().length : document.activeElement === document.body) this.talk.focus({ preventScroll: true });
  }
}
