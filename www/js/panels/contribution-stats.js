// @ts-check
// Counters of this visitor. Each worker counts from its own start; the page adds up all workers of the visit.

import { local } from '../shared/storage.js';

/** @typedef {import('../worker/worker-handle.js').Progress} Progress */
/** @typedef {import('../worker/worker-handle.js').WorkerHandle} WorkerHandle */

const COUNTERS = /** @type {const} */ ([
  'updates_sent',
  'accepted',
  'rejected',
  'bytes_sent',
  'bytes_received',
  'busy_ms',
]);
const RATE_WINDOW_MS = 10_000;
const MIN_RATE_SPAN_MS = 900; // a shorter span would be mostly noise
const SAVE_INTERVAL_MS = 5000;
const TOTAL_KEY = 'accepted-total';

/** @typedef {Record<typeof COUNTERS[number], number>} Counters */
/** @typedef {Counters & { compute_ms: number | null }} Totals */
/** @typedef {{ accepted: number, bytes: number, cores: number }} Rates Per second, and cores in use. */

/** @returns {Counters} */
const zeros = () => ({ updates_sent: 0, accepted: 0, rejected: 0, bytes_sent: 0, bytes_received: 0, busy_ms: 0 });

/** Statistics of this visitor's contribution. */
export class ContributionStats {
  #closed = zeros();
  /** @type {Map<WorkerHandle, Counters>} */
  #open = new Map();
  /** @type {number | null} */
  #computeMs = null;
  /** @type {{ at: number, totals: Totals }[]} Samples of the last RATE_WINDOW_MS. */
  #samples = [];
  #savedAt = 0;
  #savedAccepted = 0; // updates of this visit that the stored total includes
  #isCleared = false; // from `clear` until the next start, nothing is stored

  /**
   * Records the counters of a worker.
   * @param {WorkerHandle} worker
   * @param {Progress} progress
   * @param {number} now
   */
  record(worker, progress, now) {
    const previous = this.#open.get(worker);
    if (previous && progress.updates_sent < previous.updates_sent) this.closeWorker(worker); // counts from 0 again
    const counters = zeros();
    for (const name of COUNTERS) counters[name] = progress[name] ?? 0;
    this.#open.set(worker, counters);
    if (progress.compute_ms > 0) this.#computeMs = progress.compute_ms;
    this.#samples.push({ at: now, totals: this.totals() });
    while (this.#samples.length > 2 && this.#samples[0].at < now - RATE_WINDOW_MS) this.#samples.shift();
    if (now - this.#savedAt > SAVE_INTERVAL_MS) this.save(now);
  }

  /** Call when the visitor presses Start. */
  onStart() {
    if (this.#isCleared) this.#savedAccepted = this.totals().accepted;
    this.#isCleared = false;
  }

  /** Call whenever training stops or its settings change, so that no rate spans the change. */
  resetRates() {
    this.#samples = [];
  }

  /**
   * Call when a worker has ended: the next one counts from 0.
   * @param {WorkerHandle} worker
   */
  closeWorker(worker) {
    const counters = this.#open.get(worker);
    if (!counters) return;
    for (const name of COUNTERS) this.#closed[name] += counters[name];
    this.#open.delete(worker);
  }

  /**
   * Returns the counters of this visit.
   * @returns {Totals}
   */
  totals() {
    const totals = { ...this.#closed, compute_ms: this.#computeMs };
    for (const counters of this.#open.values()) {
      for (const name of COUNTERS) totals[name] += counters[name];
    }
    return totals;
  }

  /**
   * Returns the rates over the last ten seconds; `null` while there are too few samples.
   * @returns {Rates | null}
   */
  rates() {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (!first || !last) return null;
    const span = last.at - first.at;
    if (span < MIN_RATE_SPAN_MS) return null;
    /**
     * @param {typeof COUNTERS[number]} name
     * @param {number} unit
     */
    const rate = (name, unit) => ((last.totals[name] - first.totals[name]) * unit) / span;
    return {
      accepted: rate('accepted', 1000),
      bytes: rate('bytes_sent', 1000) + rate('bytes_received', 1000),
      cores: rate('busy_ms', 1),
    };
  }

  /** Returns the accepted updates of all visits, as far as this browser has stored them. */
  acceptedInAllVisits() {
    return this.#isCleared ? 0 : storedTotal() + this.totals().accepted - this.#savedAccepted;
  }

  /**
   * Adds new updates to the stored total, which all tabs share.
   * @param {number} now
   */
  save(now) {
    if (this.#isCleared) return;
    this.#savedAt = now;
    const { accepted } = this.totals();
    if (accepted === this.#savedAccepted) return;
    if (local.set(TOTAL_KEY, String(storedTotal() + accepted - this.#savedAccepted))) this.#savedAccepted = accepted;
  }

  /** Removes the stored total. Later events of ending workers are not stored. */
  clear() {
    local.remove(TOTAL_KEY);
    this.#isCleared = true;
  }
}

function storedTotal() {
  const total = Number(local.get(TOTAL_KEY) ?? 0);
  return Number.isFinite(total) && total > 0 ? total : 0;
}
