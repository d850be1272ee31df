// @ts-check
// Polls the server's status: every second while the page is visible, rarely while it is hidden or the line budget is
// used up, and with growing pauses while the server does not respond.

const VISIBLE_INTERVAL_MS = 1000;
const RARE_INTERVAL_MS = 15_000; // of a hidden page, and when the line budget is used up
const MAX_BACKOFF_MS = 15_000;
const RESPONSE_TIMEOUT_MS = 8000;

/**
 * @typedef {object} HeldOut
 * @property {number | null} accuracy
 * @property {number | null} loss
 * @property {number | null} at_accepted
 * @property {{ accepted: number, elapsed_s: number, accuracy: number | null, loss: number | null }[]} history
 */

/**
 * The fields of `GET /api/v1/status` that the pages use.
 * @typedef {object} Status
 * @property {{ id: string, phase: string, uptime_s: number, order: string, rule: string, progress: number | null,
 *   paused: boolean, token_required: boolean }} run
 * @property {{ name: string, layers: number[], parameters: number }} model
 * @property {{ name: string, held_out_count: number, rows: number, cols: number, classes: number,
 *   content: 'digits' | 'images', download_bytes: number }} data
 * @property {{ connected: number, active: number }} volunteers
 * @property {number} accepted
 * @property {Record<string, number>} rejected
 * @property {Record<string, number>} sessions_ended
 * @property {{ passed: number, failed: number, skipped: number, recomputed: number, cpu_s: number }} verification
 * @property {{ sign_error: number, tolerated_fraction: number } | null} tolerance
 * @property {number} updates_per_s
 * @property {HeldOut} held_out
 * @property {{ received_bytes: number, sent_bytes: number }} traffic
 * @property {{ bytes_per_s: number, max_bytes_per_s: number | null, load: number, delayed_tasks: number }} egress
 */

/** @typedef {{ reason: string, retryAt: number }} Failure A sentence, and the next attempt in ms since the epoch. */

/** A client that keeps the newest status. */
export class StatusClient {
  #url;
  #onChange;
  /** @type {number | undefined} */
  #timer;
  #isRequesting = false;
  #failures = 0;

  /** @type {Status | null} The last status; kept while the server is unreachable. */
  status = null;
  /** @type {number | null} The time of the last status, in ms since the epoch. */
  receivedAt = null;
  /** Whether the line budget is used up. */
  isLineUsed = false;
  /** @type {Failure | null} Set while the server does not respond. */
  failure = null;

  /**
   * @param {string} url
   * @param {() => void} onChange
   */
  constructor(url, onChange) {
    this.#url = url;
    this.#onChange = onChange;
  }

  start() {
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.requestNow();
    });
    addEventListener('online', () => this.requestNow());
    this.requestNow();
  }

  requestNow() {
    clearTimeout(this.#timer);
    if (!this.#isRequesting) this.#request();
  }

  async #request() {
    this.#isRequesting = true;
    try {
      this.status = await fetchStatus(this.#url);
      this.receivedAt = Date.now();
      this.#failures = 0;
      this.failure = null;
      this.#schedule(document.hidden || this.isLineUsed ? RARE_INTERVAL_MS : VISIBLE_INTERVAL_MS);
    } catch (error) {
      this.#failures += 1;
      const wait = Math.min(VISIBLE_INTERVAL_MS * 2 ** (this.#failures - 1), MAX_BACKOFF_MS);
      // A single lost response is not reported.
      if (this.status === null || this.#failures > 1) {
        this.failure = { reason: describeError(error), retryAt: Date.now() + wait };
      }
      this.#schedule(wait);
    } finally {
      this.#isRequesting = false;
    }
    this.#onChange();
  }

  /** @param {number} milliseconds */
  #schedule(milliseconds) {
    this.#timer = setTimeout(() => this.#request(), milliseconds);
  }
}

/**
 * @param {string} url
 * @returns {Promise<Status>}
 */
async function fetchStatus(url) {
  const response = await fetch(url, { cache: 'no-store', signal: AbortSignal.timeout(RESPONSE_TIMEOUT_MS) });
  if (!response.ok) throw new InvalidResponse(`The server responded with error ${response.status}.`);
  const status = await response.json().catch(() => null);
  if (typeof status?.run?.phase !== 'string') throw new InvalidResponse('The server sent an invalid status.');
  return status;
}

class InvalidResponse extends Error {}

/** @param {unknown} error */
function describeError(error) {
  if (error instanceof InvalidResponse) return error.message;
  if (!navigator.onLine) return 'This device is offline.';
  const isTimeout = error instanceof DOMException && error.name === 'TimeoutError';
  return isTimeout ? 'The server takes too long to respond.' : 'The server does not respond.';
}
