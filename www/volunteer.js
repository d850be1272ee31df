// Owns one Web Worker that trains: creates it, passes the person's wishes on, keeps its last reported state.

const STOP_GRACE_MS = 1000; // how long a worker may take to close its connection before it is ended
const ENDED = new Set(['stopped', 'finished', 'removed', 'failed']);

/** @typedef {{name: string, reason: string, retryAt: number | null}} State reason: a sentence or ''; retryAt: ms since
 *  the epoch. */

export class Volunteer {
  #worker = null;
  #ready = false;
  #stopTimer = null;
  #socketUrl;
  #effort;
  #listeners;

  /** @type {State} The last state. */
  state = { name: 'preparing', reason: '', retryAt: null };

  /** effort: share of a core, 0.05 to 1. listeners: onReady(version), onState(volunteer),
   *  onProgress(volunteer, report), onWorkerGone(volunteer). */
  constructor(socketUrl, effort, listeners) {
    this.#socketUrl = socketUrl;
    this.#effort = effort;
    this.#listeners = listeners;
  }

  /** Loads the training code without running it, so that Start answers at once and a broken load shows early. */
  prepare() {
    this.#createWorker();
    this.#setState('preparing');
  }

  /** pass: the secret and, where the server asks for one, the token to show at the door. */
  start(pass) {
    if (this.#stopTimer !== null) this.#endWorker(); // pressed while the last one is still closing
    if (this.#worker === null) this.#createWorker();
    this.#worker.postMessage({ type: 'start', url: this.#socketUrl, ...pass });
    this.#setState('connecting');
  }

  pause() {
    this.#worker?.postMessage({ type: 'pause' });
    this.#setState('paused');
  }

  stop() {
    if (this.#stopTimer !== null) return;
    this.#worker?.postMessage({ type: 'stop' });
    if (this.#worker !== null) this.#stopTimer = setTimeout(() => this.#endWorker(), STOP_GRACE_MS);
    this.#setState('stopped');
  }

  setEffort(effort) {
    this.#effort = effort;
    this.#worker?.postMessage({ type: 'effort', effort });
  }

  /** After sleep, or when the network is back: looks after the connection at once. */
  wake() {
    this.#worker?.postMessage({ type: 'wake' });
  }

  /** After a run has finished and another has begun on the server. */
  reset() {
    if (ENDED.has(this.state.name)) this.#setState('idle');
  }

  #createWorker() {
    this.#ready = false;
    const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
    worker.onmessage = ({ data }) => {
      if (worker === this.#worker) this.#take(data);
    };
    worker.onmessageerror = () => this.#fail(worker, 'A message from the training code could not be read.');
    worker.onerror = (event) => this.#fail(worker, event.message);
    worker.postMessage({ type: 'effort', effort: this.#effort });
    this.#worker = worker;
  }

  #take(message) {
    if (message.type === 'ready') {
      this.#ready = true;
      this.#listeners.onReady(message.version);
      if (this.state.name === 'preparing') this.#setState('idle');
    } else if (message.type === 'progress') {
      this.#listeners.onProgress(this, message);
    } else if (message.type === 'state') {
      this.#takeState(message);
    }
  }

  #takeState({ state, reason, retry_in_ms: retryInMs }) {
    const stopping = this.#stopTimer !== null;
    if (ENDED.has(state)) this.#endWorker();
    if (stopping) return; // the person has stopped: whatever else was under way no longer matters
    if (state === 'failed') console.error(`volunteer: ${reason ?? 'failed without a reason'}`);
    this.#setState(state, reason, Number.isFinite(retryInMs) ? Date.now() + retryInMs : null);
  }

  #fail(worker, detail) {
    if (worker !== this.#worker) return;
    const what = this.#ready ? 'The training code stopped' : 'The training code could not be loaded';
    const reason = detail ? `${what}: ${detail.replace(/^Uncaught /, '')}` : `${what}.`;
    console.error(`volunteer: ${reason}`);
    this.#endWorker();
    this.#setState('failed', reason);
  }

  #endWorker() {
    clearTimeout(this.#stopTimer);
    this.#stopTimer = null;
    this.#worker?.terminate();
    this.#worker = null;
    this.#listeners.onWorkerGone(this);
  }

  #setState(name, reason = '', retryAt = null) {
    this.state = { name, reason: reason ?? '', retryAt };
    this.#listeners.onState(this);
  }
}
