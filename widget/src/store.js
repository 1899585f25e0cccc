/** Keep the talk in the browser's tab: it survives the way to another page, and ends with the tab. */

const MOST_CHARS = 500_000; // Browsers keep some five million; the site needs room too.

export class Store {
  #kept = null;
  #saved = null; // The text as this page knows it.

  constructor(key) {
    this.key = key;
  }

  load() {
    try {
      if (!this.#kept) {
        this.#saved = sessionStorage.getItem(this.key);
        this.#kept = JSON.parse(this.#saved) ?? {};
      }
    } catch {
      this.#kept ??= {}; // Storage may be forbidden; the talk then lasts as long as the page.
    }
    return this.#kept;
  }

  /** Return whether another page of the tab has changed it since; the next `load` then reads it anew. */
  isOutdated() {
    try {
      if (sessionStorage.getItem(this.key) === this.#saved) return false;
    } catch {
      return false;
    }
    this.#kept = null;
    return true;
  }

  save(changes) {
    this.#kept = { ...this.load(), ...changes };
    try {
      for (;;) {
        const text = JSON.stringify(this.#kept);
        if (text.length <= MOST_CHARS || !this.#kept.talk?.length) {
          sessionStorage.setItem(this.key, text);
          this.#saved = text;
          return;
        }
        this.#kept.talk = this.#kept.talk.slice(1);
      }
    } catch {
      // As above.
    }
  }
}
