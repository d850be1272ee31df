// This visitor's counters. A worker counts from its own start; the page adds up over all workers of the visit.

const COUNTERS = ['answered', 'accepted', 'rejected', 'bytes_sent', 'bytes_received'];
const RATE_WINDOW_MS = 10_000;
const RATE_MIN_SPAN_MS = 900; // below this a rate would be mostly noise

export class OwnShare {
  #finished = Object.fromEntries(COUNTERS.map((name) => [name, 0]));
  #running = Object.fromEntries(COUNTERS.map((name) => [name, 0]));
  #computeMs = null;
  #samples = []; // [time in ms, accepted in total], the last RATE_WINDOW_MS of them

  /** Takes one progress report of the running worker. */
  report(progress, now) {
    if ((progress.answered ?? 0) < this.#running.answered) this.#close(); // a worker that began again from 0
    for (const name of COUNTERS) this.#running[name] = progress[name] ?? 0;
    if (progress.compute_ms > 0) this.#computeMs = progress.compute_ms;
    this.#samples.push([now, this.totals().accepted]);
    while (this.#samples.length > 2 && this.#samples[0][0] < now - RATE_WINDOW_MS) this.#samples.shift();
  }

  /** Call whenever work stops for any reason, so that the rate does not span the gap. */
  endRun() {
    this.#samples = [];
  }

  /** Call when the worker is gone: the next one counts from 0. */
  endWorker() {
    this.#close();
    this.endRun();
  }

  #close() {
    for (const name of COUNTERS) {
      this.#finished[name] += this.#running[name];
      this.#running[name] = 0;
    }
  }

  totals() {
    const totals = { compute_ms: this.#computeMs };
    for (const name of COUNTERS) totals[name] = this.#finished[name] + this.#running[name];
    return totals;
  }

  /** Accepted answers per second over the last ten seconds; null while there is too little to say. */
  rate(now) {
    if (this.#samples.length === 0) return null;
    const [since, before] = this.#samples[0];
    const span = now - since;
    return span < RATE_MIN_SPAN_MS ? null : ((this.totals().accepted - before) * 1000) / span;
  }
}
