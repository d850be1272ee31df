// Asks the server for the run's status: every second while the page is seen, seldom while hidden, and ever more
// seldom while the server does not answer.

const SEEN_MS = 1000;
const HIDDEN_MS = 15_000;
const MAX_BACKOFF_MS = 15_000;
const ANSWER_LIMIT_MS = 8000;

export class StatusPoll {
  #url;
  #onChange;
  #timer = null;
  #asking = false;
  #failures = 0;

  /** The last status the server gave, kept while it is unreachable; null before the first. */
  status = null;
  /** When that status came, in ms since the epoch. */
  receivedAt = null;
  /** While the server does not answer: reason (a sentence) and retryAt (ms since the epoch). */
  failure = null;

  constructor(url, onChange) {
    this.#url = url;
    this.#onChange = onChange;
  }

  begin() {
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.askNow();
    });
    addEventListener('online', () => this.askNow());
    this.askNow();
  }

  askNow() {
    clearTimeout(this.#timer);
    if (!this.#asking) this.#ask();
  }

  async #ask() {
    this.#asking = true;
    try {
      this.status = await fetchStatus(this.#url);
      this.receivedAt = Date.now();
      this.#failures = 0;
      this.failure = null;
      this.#askIn(document.hidden ? HIDDEN_MS : SEEN_MS);
    } catch (error) {
      this.#failures += 1;
      const wait = Math.min(SEEN_MS * 2 ** (this.#failures - 1), MAX_BACKOFF_MS);
      // One lost answer among good ones is not worth a word; a second one is.
      if (this.status === null || this.#failures > 1) {
        this.failure = { reason: reasonFor(error), retryAt: Date.now() + wait };
      }
      this.#askIn(wait);
    } finally {
      this.#asking = false;
    }
    this.#onChange();
  }

  #askIn(milliseconds) {
    this.#timer = setTimeout(() => this.#ask(), milliseconds);
  }
}

async function fetchStatus(url) {
  const response = await fetch(url, { cache: 'no-store', signal: AbortSignal.timeout(ANSWER_LIMIT_MS) });
  if (!response.ok) throw new UnexpectedAnswer(`It answered with an error (${response.status}).`);
  const status = await response.json().catch(() => null);
  if (typeof status?.run?.phase !== 'string') throw new UnexpectedAnswer('Its answer could not be read.');
  return status;
}

class UnexpectedAnswer extends Error {}

function reasonFor(error) {
  if (error instanceof UnexpectedAnswer) return error.message;
  if (!navigator.onLine) return 'This device is offline.';
  return error.name === 'TimeoutError' ? 'It takes too long to answer.' : 'It does not answer.';
}
