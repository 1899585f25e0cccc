/** Read server-sent events from pieces of text of any size. */

export class EventReader {
  #rest = '';
  #halfBreak = false; // The last piece ended in CR: a LF at the start of the next belongs to it.
  #event = { event: 'message', id: '', lines: [] };

  /** Return the events that this piece completes, in order. */
  push(piece) {
    if (!piece) return [];
    const lines = (this.#rest + (this.#halfBreak && piece.startsWith('\n') ? piece.slice(1) : piece)).split(/\r\n|\n|\r/);
    this.#halfBreak = piece.endsWith('\r');
    this.#rest = lines.pop();
    const whole = [];
    for (const line of lines) {
      if (line) this.#take(line);
      else if (this.#event.lines.length) whole.push({ event: this.#event.event, id: this.#event.id, data: this.#event.lines.join('\n') });
      if (!line) this.#event = { event: 'message', id: '', lines: [] };
    }
    return whole;
  }

  #take(line) {
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (field === 'event') this.#event.event = value;
    else if (field === 'id') this.#event.id = value;
    else if (field === 'data') this.#event.lines.push(value);
  }
}
