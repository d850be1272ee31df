// Owns the Web Worker that trains: creates it, passes the person's wishes on, keeps its last reported state.

const STOP_GRACE_MS = 1000; // how long a worker may take to close its connection before it is ended
const ENDED = new Set(['stopped', 'finished', 'removed', 'failed']);

export class Volunteer {
  #worker = null;
  #ready = false;
  #stopTimer = null;
  #socketUrl;
  #pass;
  #listeners;

  /** The last state: name, reason (a sentence or ''), retryAt (ms since the epoch, or null). */
  state = { name: 'preparing', reason: '', retryAt: null };

  /** pass() gives the secret and the token to show at the door. listeners: onState(), onProgress(report),
   *  onWorkerGone(). */
  constructor(socketUrl, pass, listeners) {
    this.#socketUrl = socketUrl;
    this.#pass = pass;
    this.#listeners = listeners;
  }

  /** Loads the training code without running it, so that Start answers at once and a broken load shows early. */
  prepare() {
    this.#createWorker();
    this.#setState('preparing');
  }

  start() {
    if (this.#stopTimer !== null) this.#endWorker(); // pressed while the last one is still closing
    if (this.#worker === null) this.#createWorker();
    this.#worker.postMessage({ type: 'start', url: this.#socketUrl, ...this.#pass() });
    this.#setState('connecting');
  }

  pause() {
    this.#worker?.postMessage({ type: 'pause' });
    this.#setState('paused');
  }

  stop() {
    if (this.#worker === null || this.#stopTimer !== null) return;
    this.#worker.postMessage({ type: 'stop' });
    this.#stopTimer = setTimeout(() => this.#endWorker(), STOP_GRACE_MS);
    this.#setState('stopped');
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
    this.#worker = worker;
  }

  #take(message) {
    if (message.type === 'ready') {
      this.#ready = true;
      if (this.state.name === 'preparing') this.#setState('idle');
    } else if (message.type === 'progress') {
      this.#listeners.onProgress(message);
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
    this.#listeners.onWorkerGone();
  }

  #setState(name, reason = '', retryAt = null) {
    this.state = { name, reason: reason ?? '', retryAt };
    this.#listeners.onState();
  }
}
