// Server-sent events over fetch: an EventSource cannot bring a token in a header, and a token does not belong in a URL.

const FIRST_WAIT_MS = 1000;
const MOST_WAIT_MS = 15_000;

/** The events of a text/event-stream body, as [name, data] pairs. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const blocks = text.split('\n\n');
    text = blocks.pop();
    for (const block of blocks) {
      const fields = block.split('\n').map((line) => line.split(/: ?(.*)/s));
      const of = (name) => fields.filter(([field]) => field === name).map(([, rest]) => rest);
      const data = of('data');
      if (data.length > 0) yield [of('event').at(-1) ?? 'message', data.join('\n')];
    }
  }
}

/** Watches what the server says to the host, and asks again when the line breaks. */
export class HostStream {
  #path;
  #on;
  #token = null;
  #query = '';
  #line = null; // aborts the open one
  #timer = null;
  #failures = 0;

  /** on: view(object) for each event; refused(status) when the token is wrong or there is none; lost(sentence). */
  constructor(path, on) {
    this.#path = path;
    this.#on = on;
  }

  /** Opens it with this token, or closes it with null. */
  use(token) {
    this.#token = token;
    this.#open();
  }

  /** What of it is wanted: URLSearchParams. */
  ask(query) {
    this.#query = query.toString();
    if (this.#token !== null) this.#open();
  }

  #open() {
    this.#line?.abort();
    clearTimeout(this.#timer);
    if (this.#token === null) return;
    this.#line = new AbortController();
    this.#watch(this.#line.signal);
  }

  async #watch(signal) {
    try {
      const headers = { authorization: `Bearer ${this.#token}`, accept: 'text/event-stream' };
      const response = await fetch(`${this.#path}?${this.#query}`, { headers, signal, cache: 'no-store' });
      if (response.status === 401 || response.status === 404) {
        this.#on.refused(response.status);
        return;
      }
      if (!response.ok) throw new Error(await response.text());
      for await (const [name, data] of events(response.body)) {
        if (signal.aborted) return;
        this.#failures = 0;
        if (name === 'view') this.#on.view(JSON.parse(data));
      }
      throw new Error('The server has ended the line.');
    } catch (error) {
      if (signal.aborted) return;
      this.#failures += 1;
      const wait = Math.min(FIRST_WAIT_MS * 2 ** (this.#failures - 1), MOST_WAIT_MS);
      this.#on.lost(error instanceof TypeError ? 'The server does not answer.' : error.message);
      this.#timer = setTimeout(() => this.#open(), wait);
    }
  }
}
