// @ts-check
// Server-sent events over fetch. An EventSource cannot send a token in a header, and tokens do not belong in URLs.

const INITIAL_BACKOFF_MS = 1000;
const MAX_BACKOFF_MS = 15_000;

/**
 * @template View
 * @typedef {object} StreamListeners
 * @property {(view: View) => void} onView
 * @property {(status: number) => void} onDenied Called if the token is wrong, or the server has no admin token.
 * @property {(reason: string) => void} onLost Called with a sentence. The stream reconnects automatically.
 */

/**
 * A stream of views for the operator.
 * @template View
 */
export class EventStream {
  #url;
  #listeners;
  /** @type {string | null} */
  #token = null;
  #query = '';
  /** @type {AbortController | null} */
  #connection = null;
  /** @type {number | undefined} */
  #timer;
  #failures = 0;

  /**
   * @param {string} url
   * @param {StreamListeners<View>} listeners
   */
  constructor(url, listeners) {
    this.#url = url;
    this.#listeners = listeners;
  }

  /** @param {string | null} token Opens the stream with this token; `null` closes the stream. */
  useToken(token) {
    this.#token = token;
    this.#connect();
  }

  /** @param {URLSearchParams} query The part of the list that views contain. */
  setQuery(query) {
    this.#query = query.toString();
    if (this.#token !== null) this.#connect();
  }

  #connect() {
    this.#connection?.abort();
    clearTimeout(this.#timer);
    if (this.#token === null) return;
    this.#connection = new AbortController();
    this.#read(this.#connection.signal);
  }

  /** @param {AbortSignal} signal */
  async #read(signal) {
    try {
      const headers = { authorization: `Bearer ${this.#token}`, accept: 'text/event-stream' };
      const response = await fetch(`${this.#url}?${this.#query}`, { headers, signal, cache: 'no-store' });
      if (response.status === 401 || response.status === 404) {
        this.#listeners.onDenied(response.status);
        return;
      }
      if (!response.ok || response.body === null) throw new Error(await response.text());
      for await (const { name, data } of parseEvents(response.body)) {
        if (signal.aborted) return;
        this.#failures = 0;
        if (name === 'view') this.#listeners.onView(JSON.parse(data));
      }
      throw new Error('The server has closed the stream.');
    } catch (error) {
      if (signal.aborted) return;
      this.#failures += 1;
      const wait = Math.min(INITIAL_BACKOFF_MS * 2 ** (this.#failures - 1), MAX_BACKOFF_MS);
      const isReached = error instanceof Error && !(error instanceof TypeError);
      this.#listeners.onLost(isReached ? error.message : 'The server does not respond.');
      this.#timer = setTimeout(() => this.#connect(), wait);
    }
  }
}

/**
 * Parses the events of a text/event-stream body.
 * @param {ReadableStream<Uint8Array<ArrayBuffer>>} body
 */
async function* parseEvents(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields = block.split('\n').map((line) => line.split(/: ?(.*)/s));
      /** @param {string} name */
      const values = (name) => fields.filter(([field]) => field === name).map(([, rest]) => rest);
      const data = values('data');
      if (data.length > 0) yield { name: values('event').at(-1) ?? 'message', data: data.join('\n') };
    }
  }
}
