/** Lead to the book's pages: which addresses are the book's, and how a reader gets to them. */
import { findOnPage, firstLit, lightUp, scrollToWords } from './place.js';

const LOOK_FOR_MS = 8000; // A page that a router draws is there long before.
const LOOK_EVERY_MS = 150;
const SETTLED_MS = 3000; // Till then a router draws its page again, or scrolls to the anchor by itself.
const MOVES = ['wheel', 'touchmove', 'keydown', 'pointerdown']; // How a reader moves on a page.
const LINKED_MIN = 2; // One path may be the same on two sites by chance.

/** Return a page's path without what generators add or leave out: `index.html`, `.html`, the last slash. */
function plainPath(url) {
  return url.pathname.replace(/(^|\/)index\.html?$/, '$1').replace(/\.html?$/, '').replace(/\/+$/, '') || '/';
}

/** Return the fragment without its directive (`:~:text=...`). */
function anchorOf(url) {
  const anchor = url.hash.slice(1).split(':~:')[0];
  try {
    return decodeURIComponent(anchor);
  } catch {
    return anchor;
  }
}

/** Put an anchor into the address. That of a page that is new takes no place of its own in the history, and the site's router finds its state there. */
function nameAnchor(anchor, { isNew }) {
  if (!isNew) {
    location.hash = anchor;
    return;
  }
  const { state } = history;
  const address = new URL(location.href);
  address.hash = anchor;
  location.replace(address);
  history.replaceState(state, '', location.href);
}

export class Links {
  #origins = new Set([location.origin]);
  #site = null;
  #isCopy = false;
  #way = new AbortController(); // Aborted when the reader moves on.

  constructor({ isPage, base }) {
    Object.assign(this, { isPage, base });
  }

  /** Learn from `GET /book` where the book is, and whether this page is one of its pages on another host. */
  know({ site_url: site, chapters }) {
    this.#site = this.#parse(site);
    if (!this.#site) return;
    this.#origins.add(this.#site.origin);
    this.#isCopy = !this.isPage && this.#site.origin !== location.origin && this.#isOnCopy(chapters ?? []);
  }

  /** Return whether this page is one of the book's by its path, or leads to several of them: each site has a front page. */
  #isOnCopy(chapters) {
    const paths = new Set(chapters.map(({ url }) => this.#parse(url)).filter(Boolean).map(plainPath));
    paths.delete('/');
    if (paths.has(plainPath(location))) return true;
    const own = [...document.links].filter((link) => link.origin === location.origin).map(plainPath);
    return new Set(own.filter((path) => paths.has(path))).size >= LINKED_MIN;
  }

  /** Take the addresses of the sources for the book's where the service has not said where the book is. */
  trust(sources) {
    if (this.#site) return;
    for (const { url } of sources) {
      const parsed = this.#parse(url);
      if (parsed) this.#origins.add(parsed.origin);
    }
  }

  #parse(address) {
    if (typeof address !== 'string' || !address.trim() || /[\u0000-\u0020\\]/.test(address.trim())) return null;
    try {
      const url = new URL(address.trim(), this.#site ?? (this.isPage ? this.base : location.href));
      return /^https?:$/.test(url.protocol) && !url.username ? url : null;
    } catch {
      return null;
    }
  }

  /** Return the address of a place in the book as this reader reaches it; null if it is not the book's. */
  resolve(address) {
    const url = this.#parse(address);
    if (!url || !this.#origins.has(url.origin)) return null;
    const isOfSite = this.#isCopy && url.origin === this.#site.origin;
    return isOfSite ? new URL(url.pathname + url.search + url.hash, location.origin) : url;
  }

  /** Let a link lead to a place of the book; `words` are lit up there. */
  aim(link, url, words) {
    link.href = url.href;
    link.words = words;
    for (const name of ['target', 'rel']) link.removeAttribute(name);
    if (this.isPage) link.target = '_top';
    else if (url.origin !== location.origin) Object.assign(link, { target: '_blank', rel: 'noopener' });
  }

  /** Return whether an address is the page that is open. The book's own have no query; the open one may have a search's or a newsletter's. */
  isHere(url) {
    const isSame = url.origin === location.origin && plainPath(url) === plainPath(location);
    return !this.isPage && isSame && (!url.search || url.search === location.search);
  }

  /**
   * Go to words in the page that is open, or to their anchor where `goes` says so. Returns whether the words are there.
   *
   * The way back leads to where the reader was: on this page, or on the one before if this one `isNew`.
   */
  show(url, words, { goes = true, isNew = false } = {}) {
    const anchor = anchorOf(url);
    const ranges = words ? findOnPage(words, anchor) : [];
    if (!ranges.length && !goes) return false;
    if (anchor && anchorOf(new URL(location.href)) !== anchor) nameAnchor(anchor, { isNew });
    if (ranges.length) lightUp(ranges);
    else document.getElementById(anchor)?.scrollIntoView();
    return ranges.length > 0;
  }

  /**
   * Go to the anchor once it is there, and look for the words until the page, which may still be drawn, has them.
   *
   * A reader who moves on the page is left alone. A page is searched again only if its text has changed.
   */
  async arrive(url, words, { isNew = true } = {}) {
    const anchor = anchorOf(url);
    const left = this.#setOut();
    let [arrived, searched] = [null, -1];
    for (const end = Date.now() + LOOK_FOR_MS; Date.now() < end && !left.aborted; ) {
      if (this.isHere(url) && document.readyState !== 'loading') {
        const place = document.getElementById(anchor);
        const goes = Boolean(place) && place !== arrived;
        const length = document.body?.textContent.length;
        if ((goes || length !== searched) && this.show(url, words, { goes, isNew })) return this.stay(url, words);
        if (!words && (place || !anchor)) break;
        [arrived, searched] = [place, length];
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    if (!left.aborted) this.leave();
  }

  /** Begin a way to a place: the one before it ends. Returns the signal that the reader has moved on. */
  #setOut() {
    this.leave();
    this.#way = new AbortController();
    const { signal } = this.#way;
    const move = ({ target }) => target.closest?.('ragbot-widget') || this.leave();
    for (const name of MOVES) addEventListener(name, move, { passive: true, capture: true, signal });
    return signal;
  }

  /** Leave the reader where he is. */
  leave() {
    this.#way.abort();
  }

  /** Light the words up again where the page's own script draws them anew, and scroll back to them, once, where it scrolls away. */
  async stay(url, words) {
    const left = this.#setOut();
    let [before, isBack] = [null, false];
    for (const end = Date.now() + SETTLED_MS; Date.now() < end; ) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
      if (left.aborted) return;
      const lit = firstLit();
      if (!lit && this.isHere(url)) this.show(url, words, { goes: false });
      const { top, bottom } = lit?.getBoundingClientRect() ?? { top: 0, bottom: 0 };
      // A page that still moves is on its way.
      if (!isBack && top === before && top !== bottom && (bottom < 0 || top > innerHeight)) {
        scrollToWords(lit);
        isBack = true;
      }
      before = top;
    }
    this.leave();
  }

  /** Follow a link as the site's own router would; where none takes the press of the site's own link, load the page at the very place. */
  follow(url) {
    const path = plainPath(url);
    const isOwn = (link) => link.origin === url.origin && plainPath(link) === path && link.search === url.search && !link.target
      && !link.hasAttribute('download') && !path.toLowerCase().endsWith('.pdf'); // `#page=12` is for the viewer.
    const own = [...document.links].find(isOwn);
    if (own) pressForRouter(own, url);
    else press(url);
  }
}

/**
 * Press a link of the page's own for its router, which knows it; nobody else gets the press.
 *
 * Some routers (Turbo) come last by listening from the moment that a press is on its way: we listen from a moment later.
 */
function pressForRouter(link, url) {
  const load = (event) => {
    if (event.defaultPrevented) return;
    event.preventDefault();
    location.assign(url.href);
  };
  addEventListener('click', () => addEventListener('click', load), { capture: true, once: true });
  link.click();
  removeEventListener('click', load);
}

/** Press a link that is there for this press alone. */
function press(url) {
  const link = document.createElement('a');
  link.href = url.href;
  link.hidden = true;
  document.body.append(link);
  link.click();
  link.remove();
}
