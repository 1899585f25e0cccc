/**
 * The talks of this browser: sessions by their first questions, to open again and to delete.
 *
 * The service lists no sessions, as whoever knows an id may read that session; so the list is kept here. What a reader
 * asked reaches the page as text only.
 */

import { button, make } from './widget/shared.js';

const MOST_TALKS = 50;
const TITLE_LENGTH = 200;

export class Talks {
  #armed = null; // the button whose next press deletes

  /** `open` and `remove` are called with the id of a session; `remove` gives a promise of whether it is gone. */
  constructor({ key, list, empty, open, remove }) {
    Object.assign(this, { key, list, empty, open, remove });
    list.addEventListener('focusout', () => this.#disarm());
  }

  /** Return the talks as {id, title}, the one that was asked in last first. */
  all() {
    try {
      const kept = JSON.parse(localStorage.getItem(this.key));
      return Array.isArray(kept) ? kept.filter((one) => typeof one?.id === 'string' && typeof one.title === 'string') : [];
    } catch {
      return []; // Storage may be forbidden.
    }
  }

  /** Put a talk first. A new one gets its title from the question; one that is listed keeps its own. */
  note(id, question) {
    const others = this.all();
    const known = others.find((one) => one.id === id);
    const talk = known ?? { id, title: [...question.trim()].slice(0, TITLE_LENGTH).join('') };
    this.#keep([talk, ...others.filter((one) => one.id !== id)].slice(0, MOST_TALKS));
  }

  forget(id) {
    this.#keep(this.all().filter((one) => one.id !== id));
  }

  /** Show the list; the talk that is open now is marked. */
  show(current) {
    this.current = current;
    const talks = this.all();
    this.empty.hidden = talks.length > 0;
    this.list.replaceChildren(...talks.map((talk) => this.#row(talk)));
  }

  #row({ id, title }) {
    const opens = button(title, () => this.open(id), { class: 'talk-title', dir: 'auto', 'aria-current': id === this.current && 'true' });
    const deletes = button('Delete', () => this.#press(deletes, id), { class: 'plain', 'aria-label': `Delete: ${title}` });
    return make('li', {}, opens, deletes);
  }

  async #press(pressed, id) {
    if (this.#armed !== pressed) {
      this.#disarm();
      this.#armed = pressed;
      pressed.textContent = 'Really delete?';
      pressed.removeAttribute('aria-label');
      return;
    }
    pressed.disabled = true;
    if (await this.remove(id)) this.forget(id);
    this.#armed = null;
    this.show(this.current === id ? null : this.current);
    (this.list.querySelector('button') ?? this.empty).focus();
  }

  #disarm() {
    if (!this.#armed || this.#armed.disabled) return;
    this.#armed.textContent = 'Delete';
    this.#armed.setAttribute('aria-label', `Delete: ${this.#armed.previousSibling.textContent}`);
    this.#armed = null;
  }

  #keep(talks) {
    try {
      localStorage.setItem(this.key, JSON.stringify(talks));
    } catch {
      // As above.
    }
    this.show(this.current ?? null);
  }
}
