/** Let the page make room for the panel beside its text, where its layout can. */

const TEXT_MIN_PX = 640; // A page narrower than this is better covered than squeezed.
const COLUMN_MIN_PX = 280;
const MOST_BLOCKS = 40;
const WHOLE = 'pre, table'; // The texts in these may be wider than what is shown of them, or than a column.
const GAP_PX = 12;
const EDGE_PX = 40; // So much of the page's edge is empty on many sites.
const LINE_PX = 20;
const SETTLED_MS = 200;
const DRAWN_MS = [400, 2000]; // When a router has drawn another page, on a fast network and on a slow one.
const ENOUGH = 0.8; // The first and the last block may be under the site's own bars.

/** Return the blocks of running text that are in the window; of a page that holds nothing but links, these. */
function visibleText() {
  const root = document.querySelector('main, article, [role=main]') ?? document.body;
  const running = textBlocks(root, 'nav, a, button');
  return running.length ? running : textBlocks(root, 'nav');
}

/** Return the elements in the window that hold text themselves, whatever their names, without what is in `skipped`. */
function textBlocks(root, skipped) {
  const found = [];
  const visit = (element, isInText) => {
    const box = element.getBoundingClientRect();
    const isInWindow = box.bottom > 0 && box.top < innerHeight;
    if (found.length >= MOST_BLOCKS || (box.width && box.height && !isInWindow)) return;
    if (isInText && getComputedStyle(element).display.startsWith('inline')) return; // Its block is there.
    const isWhole = element.matches(WHOLE);
    const hasText = isWhole || [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (hasText && isInWindow && box.width > 1) found.push({ block: element, box });
    if (isWhole) return;
    for (const child of element.children) if (!child.matches(skipped)) visit(child, hasText);
  };
  visit(root, false);
  return found;
}

/** Return whether a reader sees a block from its one edge to the other: nothing lies over or under it, and it is in the window. */
function isSeen({ block, box }) {
  const [top, bottom] = [Math.max(0, box.top), Math.min(innerHeight, box.bottom)];
  return [(top + bottom) / 2, Math.min(bottom - 1, top + LINE_PX / 2)].every((y) =>
    [box.left + 1, box.right - 1].every((x) => {
      const there = document.elementsFromPoint(x, y);
      return there.length && there.every((one) => block.contains(one) || one.contains(block));
    }));
}

/** Return which part of the text in the window is seen, from 0 to 1; 0 if its column is too narrow, or the page scrolls sideways. */
function partSeen() {
  const blocks = visibleText();
  const isWide = blocks.some(({ box }) => box.width >= COLUMN_MIN_PX);
  return isWide && document.documentElement.scrollWidth <= innerWidth ? blocks.filter(isSeen).length / blocks.length : 0;
}

export class Room {
  #sheet = new CSSStyleSheet();
  #rules = ''; // What the page has of us.
  #panel = null;
  #width = 0; // Of the window that room was made in.
  #path = ''; // Of the page that it was made on.
  #timers = [];

  constructor({ isLeft, isWanted }) {
    Object.assign(this, { isLeft, isWanted });
    if (!isWanted) return;
    // A phone's bars and keyboard change the height alone.
    addEventListener('resize', () => innerWidth !== this.#width && this.#fitAt([SETTLED_MS]));
    window.navigation?.addEventListener('currententrychange', () => location.pathname !== this.#path && this.#fitAt(DRAWN_MS));
  }

  /** Make room until it is given back: anew in a window of another width, as by turning a tablet, and on a page that a router draws. */
  make(panel) {
    if (!this.isWanted || this.#rules) return;
    this.#panel = panel;
    this.#fit();
  }

  giveBack() {
    this.#panel = null;
    this.#apply('');
  }

  /** Make room anew after some times if too little of the text is seen then, or if the window has changed. */
  #fitAt(times) {
    this.#timers.forEach(clearTimeout);
    this.#timers = times.map((ms) => setTimeout(() => {
      if (!this.#panel || (innerWidth === this.#width && partSeen() >= ENOUGH)) return;
      this.#apply('');
      this.#fit();
    }, ms));
  }

  /** Narrow the page by the panel's width, or push it aside, if more of its text is seen then. A long page takes its time for each try. */
  #fit() {
    this.#width = innerWidth;
    this.#path = location.pathname;
    const seenWidth = this.#panel.getBoundingClientRect().width;
    if (innerWidth - seenWidth < TEXT_MIN_PX) return;
    const width = seenWidth / (document.documentElement.currentCSSZoom ?? 1); // The body alone may be enlarged, and the panel with it.
    let best = { seen: partSeen(), rules: '' };
    if (best.seen >= ENOUGH) return;
    // A page that centres its text in what is left may put its beginning under its own bar, and need not go as far.
    // Pushed aside, a page loses its own navigation: only where narrowing it does not help.
    for (const rules of [this.#narrower(width), this.#narrower(width - EDGE_PX), this.#aside()]) {
      this.#apply(rules, width);
      const seen = partSeen();
      if (seen > best.seen) best = { seen, rules };
      if (best.seen >= ENOUGH) break;
    }
    this.#apply(best.rules, width);
  }

  #narrower(width) {
    return `margin-${this.isLeft ? 'left' : 'right'}: ${width}px !important; max-width: calc(100% - ${width}px) !important;`;
  }

  /** Return rules that push the page aside as far as its text lies below the panel and has space on the other side. */
  #aside() {
    const boxes = visibleText().map(({ box }) => box);
    const [left, right] = [Math.min(...boxes.map((box) => box.left)), Math.max(...boxes.map((box) => box.right))];
    const edge = this.#panel.getBoundingClientRect();
    const [covered, free] = this.isLeft ? [edge.right - left, innerWidth - right] : [right - edge.left, left];
    const push = Math.max(0, Math.min(covered + GAP_PX, free - GAP_PX));
    return `position: relative !important; left: ${this.isLeft ? push : -push}px !important;`;
  }

  #apply(rules, width = 0) {
    if (rules === this.#rules) return;
    this.#keepingPlace(() => {
      this.#rules = rules;
      this.#sheet.replaceSync(rules && `@media screen and (min-width: ${width + TEXT_MIN_PX}px) { :root { ${rules} } }`);
      const others = document.adoptedStyleSheets.filter((one) => one !== this.#sheet);
      document.adoptedStyleSheets = rules ? [...others, this.#sheet] : others;
    });
  }

  /** Change the layout, and leave the first line of text in the window where it was. */
  #keepingPlace(change) {
    const first = visibleText().find(({ box }) => box.top >= 0) ?? visibleText()[0];
    change();
    const moved = first ? first.block.getBoundingClientRect().top - first.box.top : 0;
    if (Math.abs(moved) > 1) scrollBy({ top: moved, behavior: 'instant' });
  }
}
