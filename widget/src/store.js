/** Keep the talk in the browser's tab: it survives the way to another page, and ends with the tab. */

const MOST_CHARS = 500_000; // Browsers keep some five million; the site needs room too.

export class Store {
  #kept = null;

  constructor(key) {
    this.key = key;
  }

  load() {
    try {
      this.#kept ??= JSON.parse(sessionStorage.getItem(this.key)) ?? {};
    } catch {
      this.#kept ??= {}; // Storage may be forbidden; the talk then lasts as long as the page.
    }
    return this.#kept;
  }

  save(changes) {
    this.#kept = { ...this.load(), ...changes };
    try {
      for (;;) {
        const text = JSON.stringify(this.#kept);
        if (text.length <= MOST_CHARS || !this.#kept.talk?.length) {
          sessionStorage.setItem(this.key, text);
          return;
        }
        this.#kept.talk = this.#kept.talk.slice(1);
      }
    } catch {
      // As above.
    }
  }
}
