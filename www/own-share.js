// This visitor's counters. Each worker counts from its own start; the page adds up over all workers of the visit.

import { drop, keep, kept } from './storage.js';

const COUNTERS = ['answered', 'accepted', 'rejected', 'bytes_sent', 'bytes_received', 'busy_ms'];
const RATE_WINDOW_MS = 10_000;
const RATE_MIN_SPAN_MS = 900; // below this a rate would be mostly noise
const KEEP_EVERY_MS = 5000;
const EVER = 'accepted-ever';

const zeros = () => Object.fromEntries(COUNTERS.map((name) => [name, 0]));

export class OwnShare {
  #finished = zeros();
  #running = new Map(); // worker -> its counters
  #computeMs = null;
  #samples = []; // {at: ms, totals}, the last RATE_WINDOW_MS of them
  #keptAt = 0;
  #keptAccepted = 0; // of this visit, what is already among what the browser keeps
  #forgotten = false; // until the next start nothing is kept

  /** Takes one progress report of a running worker. */
  report(worker, progress, now) {
    const before = this.#running.get(worker);
    if (before && (progress.answered ?? 0) < before.answered) this.#close(worker); // it began again from 0
    this.#running.set(worker, Object.fromEntries(COUNTERS.map((name) => [name, progress[name] ?? 0])));
    if (progress.compute_ms > 0) this.#computeMs = progress.compute_ms;
    this.#samples.push({ at: now, totals: this.totals() });
    while (this.#samples.length > 2 && this.#samples[0].at < now - RATE_WINDOW_MS) this.#samples.shift();
    if (now - this.#keptAt > KEEP_EVERY_MS) this.keepAccepted(now);
  }

  /** Call when the person starts. */
  beginRun() {
    if (this.#forgotten) this.#keptAccepted = this.totals().accepted;
    this.#forgotten = false;
  }

  /** Call whenever work stops for any reason, or goes on in another way, so that no rate spans that. */
  endRun() {
    this.#samples = [];
  }

  /** Call when a worker is gone: the next one counts from 0. */
  endWorker(worker) {
    this.#close(worker);
  }

  #close(worker) {
    const counters = this.#running.get(worker);
    if (!counters) return;
    for (const name of COUNTERS) this.#finished[name] += counters[name];
    this.#running.delete(worker);
  }

  /** Of this visit: the counters of a worker's report, added up. */
  totals() {
    const totals = { ...this.#finished, compute_ms: this.#computeMs };
    for (const counters of this.#running.values()) {
      for (const name of COUNTERS) totals[name] += counters[name];
    }
    return totals;
  }

  /** Over the last ten seconds: accepted answers and bytes both ways per second, and cores in use; null while there is
   *  too little to say. */
  rates() {
    if (this.#samples.length === 0) return null;
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    const span = last.at - first.at;
    if (span < RATE_MIN_SPAN_MS) return null;
    const per = (name, unit) => ((last.totals[name] - first.totals[name]) * unit) / span;
    return {
      accepted: per('accepted', 1000),
      bytes: per('bytes_sent', 1000) + per('bytes_received', 1000),
      cores: per('busy_ms', 1),
    };
  }

  /** Accepted answers of all visits, as far as this browser remembers them. */
  acceptedEver() {
    return this.#forgotten ? 0 : this.#ever() + this.totals().accepted - this.#keptAccepted;
  }

  /** Adds what is new to what the browser keeps; other tabs add to the same number. */
  keepAccepted(now) {
    if (this.#forgotten) return;
    this.#keptAt = now;
    const { accepted } = this.totals();
    if (accepted === this.#keptAccepted) return;
    if (keep(EVER, String(this.#ever() + accepted - this.#keptAccepted))) this.#keptAccepted = accepted;
  }

  /** Earlier visits are forgotten, and of this one what was done, and what workers that are ending still tell. */
  forget() {
    drop(EVER);
    this.#forgotten = true;
  }

  #ever() {
    const number = Number(kept(EVER) ?? 0);
    return Number.isFinite(number) && number > 0 ? number : 0;
  }
}
