/** Keep what a reader sees of the talk, and the focus, where they are. */
import { isBesideTheReader } from './page_mode.js';

const NEAR_PX = 120;

export class View {
  #scrolled = 0; // How far the talk is.
  #focused = null; // What has the focus in the panel.

  constructor({ root, panel, talk }) {
    Object.assign(this, { root, talk });
    talk.addEventListener('scroll', () => { this.#scrolled = talk.scrollTop; }, { passive: true });
    panel.addEventListener('focusin', ({ target }) => { this.#focused = target; });
    panel.addEventListener('focusout', () => setTimeout(() => { this.#focused = root.activeElement; }));
  }

  /** Bring the scroll and the focus back, which an element loses when it is moved. */
  goOnAfterMove() {
    this.talk.scrollTop = this.#scrolled;
    if (document.activeElement === document.body) this.#focused?.focus({ preventScroll: true });
  }

  /** Let a question be seen, with its answer below it. */
  bringUp({ node }) {
    if (!isBesideTheReader()) node.scrollIntoView({ block: 'start' });
  }

  /** Follow an answer that grows until its question is on top: who reads its beginning is not carried away. */
  keepEnd({ node }) {
    const { scrollHeight, scrollTop, clientHeight } = this.talk;
    if (scrollHeight - scrollTop - clientHeight >= NEAR_PX) return;
    const below = node.getBoundingClientRect().top - this.talk.getBoundingClientRect().top;
    this.talk.scrollTop += Math.max(0, below);
  }

  /** Keep the focus in the panel when what had it is gone: Esc and Tab go on from there. (The field would bring a phone's keyboard.) */
  keepFocus() {
    if (isBesideTheReader()) return;
    const within = this.root.activeElement;
    if (within ? !within.getClientRects().length : document.activeElement === document.body) this.talk.focus({ preventScroll: true });
  }
}
