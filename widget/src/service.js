/** Call the service: the book, tokens, questions as streams that are resumed, feedback. */
import { EventReader } from './sse.js';

const QUIET_MS = 75000; // The service sends a comment every 15 s; a host that sleeps takes up to 50 s to wake.
const RESUMES = 4;
const WAIT_MOST_MS = 5000;

/** A trouble with a stable code: the service's own, or `offline`, `unreachable`, `broken`. */
export class Trouble extends Error {
  constructor(code, { status = 0, waitS = null } = {}) {
    super(code);
    Object.assign(this, { code, status, waitS });
  }
}

async function troubleOf(response) {
  let problem = {};
  try {
    problem = await response.json();
  } catch {
    // A proxy in front answers with a page of its own.
  }
  const wait = Number(response.headers.get('Retry-After'));
  const code = typeof problem?.code === 'string' ? problem.code : response.status >= 500 ? 'overloaded' : 'unknown';
  return new Trouble(code, { status: response.status, waitS: wait > 0 ? Math.ceil(wait) : null });
}

/** Return a promise that fails when a question is stopped. */
export function stopOf(signal) {
  return new Promise((_, fail) => { signal.addEventListener('abort', () => fail(signal.reason), { once: true }); });
}

/** Return a promise that is kept when the browser has a network again, or when a question is stopped. */
function backOnline(signal) {
  return new Promise((resolve) => {
    addEventListener('online', resolve, { once: true, signal });
    signal.addEventListener('abort', resolve, { once: true });
  });
}

export class Service {
  #token = null; // {value, until}

  constructor(base, book) {
    this.base = base;
    this.book = book || null;
  }

  address(path) {
    return new URL(path, this.base);
  }

  async #fetch(path, options = {}) {
    try {
      return await fetch(this.address(path), { credentials: 'same-origin', ...options });
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      throw new Trouble(navigator.onLine === false ? 'offline' : 'unreachable');
    }
  }

  /** Return what `GET /book` says; an empty object where the service does not say it. */
  async describe(pageUrl) {
    const query = new URLSearchParams({ page_url: pageUrl.slice(0, 2000), ...(this.book ? { book: this.book } : {}) });
    const response = await this.#fetch(`book?${query}`);
    return response.ok ? response.json() : {};
  }

  async #tokenHeader() {
    if (!this.needsToken) return {};
    if (!this.#token || Date.now() > this.#token.until) {
      const headers = this.#token ? { 'X-Ragbot-Token': this.#token.value } : {};
      const response = await this.#fetch('widget/token', { method: 'POST', headers });
      if (!response.ok) throw await troubleOf(response);
      const { token, expires_in: seconds } = await response.json();
      this.#token = { value: token, until: Date.now() + Math.max(5, seconds - 30) * 1000 };
    }
    return { 'X-Ragbot-Token': this.#token.value };
  }

  /** Ask, and pass each event to `take(name, data)`. Returns the whole reply. Raises Trouble or AbortError. */
  async ask(body, take, signal) {
    const send = async () => this.#fetch('query', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream', ...(await this.#tokenHeader()) },
      body: JSON.stringify({ ...body, ...(this.book ? { book: this.book } : {}), stream: true, resumable: true }),
      signal,
    });
    let response = await send();
    if (response.status === 403) {
      const trouble = await troubleOf(response);
      if (trouble.code !== 'widget_token_required') throw trouble;
      this.needsToken = true;
      this.#token = null;
      response = await send();
    }
    return this.#follow(response, take, { signal, place: {} });
  }

  /** Get the rest of an answer after `lastId`, or the whole of it. */
  async resume(place, take, signal) {
    return this.#follow(await this.#rest(place, signal), take, { signal, place });
  }

  /** Return the response with the rest; null while the service is out of reach. */
  async #rest({ sessionId, messageId, lastId }, signal) {
    const headers = { Accept: 'text/event-stream', ...(lastId ? { 'Last-Event-ID': lastId } : {}) };
    try {
      return await this.#fetch(this.#message(sessionId, messageId, 'stream'), { headers, signal });
    } catch (error) {
      if (error instanceof Trouble) return null;
      throw error;
    }
  }

  #message(sessionId, messageId, what) {
    return `sessions/${encodeURIComponent(sessionId)}/messages/${encodeURIComponent(messageId)}/${what}`;
  }

  async #follow(first, take, { signal, place }) {
    let response = first;
    for (let tries = 0; ; tries += 1) {
      let waitMs = 400 * 2 ** tries;
      if (response?.ok) {
        const reply = await this.#read(response, take, { signal, place });
        if (reply) return reply;
      } else if (response) {
        const trouble = await troubleOf(response);
        // An answer that has begun outlasts a service that restarts, or that is busy for a moment.
        const mayPass = place.messageId && (response.status >= 500 || response.status === 429);
        if (!mayPass || tries >= RESUMES) throw trouble;
        waitMs = Math.max(waitMs, Math.min(1000 * trouble.waitS, WAIT_MOST_MS));
      }
      if (!place.messageId || tries >= RESUMES) throw new Trouble('broken');
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      if (navigator.onLine === false) {
        take('network', { isAway: true }, place);
        await backOnline(signal);
        take('network', { isAway: false }, place);
        tries = 0;
      }
      if (signal.aborted) throw new DOMException('stopped', 'AbortError');
      response = await this.#rest(place, signal);
    }
  }

  /** Read a stream to its end. Returns the reply, or null if the stream broke off. */
  async #read(response, take, { signal, place }) {
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    const events = new EventReader();
    let timer = 0;
    const letGo = () => reader.cancel();
    const heard = () => {
      clearTimeout(timer);
      timer = setTimeout(letGo, QUIET_MS);
    };
    // Browsers keep a page for the way back only without open connections. Back on it, the rest is asked for.
    addEventListener('pagehide', letGo);
    try {
      for (;;) {
        heard();
        const { value, done } = await reader.read();
        if (done) return null;
        for (const { event, id, data } of events.push(decoder.decode(value, { stream: true }))) {
          const payload = JSON.parse(data);
          if (id) place.lastId = id;
          if (event === 'sources') Object.assign(place, { sessionId: payload.session_id, messageId: payload.message_id });
          if (event === 'done') return payload;
          if (event === 'error') throw new Trouble(payload.code ?? 'broken', { status: payload.status });
          take(event, payload, place);
        }
      }
    } catch (error) {
      if (error instanceof Trouble || signal.aborted) throw error;
      return null;
    } finally {
      clearTimeout(timer);
      removeEventListener('pagehide', letGo);
      reader.cancel().catch(() => {});
    }
  }

  /** Tell the service that nobody waits for the answer any more. */
  stop({ sessionId, messageId }) {
    return this.#fetch(this.#message(sessionId, messageId, 'stream'), { method: 'DELETE' }).catch(() => {});
  }

  async rate(sessionId, messageId, body) {
    const response = await this.#fetch(this.#message(sessionId, messageId, 'feedback'), {
      method: 'PUT',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw await troubleOf(response);
  }
}
