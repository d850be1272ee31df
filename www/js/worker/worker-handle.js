// @ts-check
// The page's side of one Web Worker that trains: creates it, forwards the visitor's commands, keeps its last state.

import { isOutOfMemory } from './out-of-memory.js';

const STOP_TIMEOUT_MS = 1000; // for a worker to close its connection before it is terminated

/**
 * @typedef {'preparing' | 'idle' | 'loading-data' | 'connecting' | 'working' | 'resting'
 *   | 'line-budget-used' | 'reconnecting' | 'too-slow' | 'waiting' | 'paused' | 'stopped' | 'finished' | 'ejected' | 'out-of-memory' | 'failed'} StateName
 */
/** @type {Set<StateName>} */
const ENDED_STATES = new Set(['stopped', 'finished', 'ejected', 'out-of-memory', 'failed']);

/**
 * `reason` is a sentence or ''; `retryAt` is in ms since the epoch.
 * @typedef {{ name: StateName, reason: string, retryAt: number | null }} WorkerState
 */
/** @typedef {{ secret: Uint8Array, token: string | undefined }} Credentials */

/**
 * Counters since the start of the worker.
 * @typedef {{ updates_sent: number, accepted: number, rejected: number, bytes_sent: number, bytes_received: number,
 *   busy_ms: number, compute_ms: number }} Progress
 */
/** @typedef {{ type: 'state', state: StateName, reason?: string, retry_in_ms?: number }} StateMessage */
/** @typedef {import('./line-ledger.js').LineReport} LineReport */
/**
 * @typedef {{ type: 'ready', version: string } | StateMessage | { type: 'progress' } & Progress
 *   | { type: 'transferred', bytes: number } | { type: 'line' } & LineReport} WorkerMessage
 */
/** @typedef {import('./data-worker-handle.js').DataWorkerHandle} DataWorkerHandle */
/** @typedef {{ effort: number, lineBudget: number | null, cores: number }} Limits A fraction of a core for each of the
 *   `cores`, and bytes an hour for all. */

/**
 * @typedef {object} WorkerListeners
 * @property {(version: string) => void} onReady
 * @property {() => void} onState
 * @property {(worker: WorkerHandle, progress: Progress) => void} onProgress
 * @property {(bytes: number) => void} onTransfer Called with the bytes of each download.
 * @property {(worker: WorkerHandle, report: LineReport) => void} onLine Called with the bytes of the connection.
 * @property {(worker: WorkerHandle) => void} onTerminated
 */

/** A handle of one training worker. */
export class WorkerHandle {
  /** @type {Worker | null} */
  #worker = null;
  #isReady = false;
  /** @type {number | null} */
  #stopTimer = null;
  /** The number of the connection to the data worker. */
  #dataId = 0;
  #socketUrl;
  #dataWorker;
  #limits;
  #listeners;

  /** @type {WorkerState} */
  state = { name: 'preparing', reason: '', retryAt: null };

  /**
   * @param {string} socketUrl
   * @param {DataWorkerHandle} dataWorker
   * @param {Limits} limits
   * @param {WorkerListeners} listeners
   */
  constructor(socketUrl, dataWorker, limits, listeners) {
    this.#socketUrl = socketUrl;
    this.#dataWorker = dataWorker;
    this.#limits = limits;
    this.#listeners = listeners;
  }

  /** Loads the training code without running it: Start then responds at once, and load errors show early. */
  prepare() {
    this.#ensureWorker();
    this.#setState('preparing');
  }

  /** @param {Credentials} credentials */
  start(credentials) {
    if (this.#stopTimer !== null) this.#terminate(); // the previous worker is still closing
    this.#ensureWorker().postMessage({ type: 'start', url: this.#socketUrl, ...credentials });
    this.#setState('connecting');
  }

  pause() {
    this.#worker?.postMessage({ type: 'pause' });
    this.#setState('paused');
  }

  stop() {
    if (this.#stopTimer !== null) return;
    this.#worker?.postMessage({ type: 'stop' });
    if (this.#worker !== null) this.#stopTimer = setTimeout(() => this.#terminate(), STOP_TIMEOUT_MS);
    this.#setState('stopped');
  }

  /** @param {Limits} limits */
  setLimits(limits) {
    this.#limits = limits;
    this.#postLimits();
  }

  #postLimits() {
    const { effort, lineBudget, cores } = this.#limits;
    this.#worker?.postMessage({ type: 'effort', effort });
    this.#worker?.postMessage({ type: 'line-budget', bytesPerHour: lineBudget, cores });
  }

  /**
   * Replies to a lease.
   * @param {Float64Array} slots Pairs of a minute and its bytes.
   */
  sendLineUsage(slots) {
    this.#worker?.postMessage({ type: 'line-usage', slots });
  }

  /** Checks the connection now: the device has woken or is online again. */
  wake() {
    this.#worker?.postMessage({ type: 'wake' });
  }

  /** Returns to idle after the end of a run, when the server has begun another. */
  reset() {
    if (ENDED_STATES.has(this.state.name)) this.#setState('idle');
  }

  #ensureWorker() {
    if (this.#worker !== null) return this.#worker;
    this.#isReady = false;
    const worker = new Worker(new URL('./volunteer-worker.js', import.meta.url), { type: 'module' });
    worker.onmessage = ({ data }) => {
      if (worker === this.#worker) this.#onMessage(data);
    };
    worker.onmessageerror = () => this.#fail(worker, 'The page received an unreadable message.');
    worker.onerror = (event) => this.#fail(worker, event.message);
    this.#worker = worker;
    const { id, port } = this.#dataWorker.connect();
    this.#dataId = id;
    worker.postMessage({ type: 'connect', port }, [port]);
    this.#postLimits();
    return worker;
  }

  /** @param {WorkerMessage} message */
  #onMessage(message) {
    if (message.type === 'ready') {
      this.#isReady = true;
      this.#listeners.onReady(message.version);
      if (this.state.name === 'preparing') this.#setState('idle');
    } else if (message.type === 'progress') {
      this.#listeners.onProgress(this, message);
    } else if (message.type === 'transferred') {
      this.#listeners.onTransfer(message.bytes);
    } else if (message.type === 'line') {
      this.#listeners.onLine(this, message);
    } else if (message.type === 'state') {
      this.#onState(message);
    }
  }

  /** @param {StateMessage} message */
  #onState({ state, reason, retry_in_ms: retryInMs }) {
    const isStopping = this.#stopTimer !== null;
    if (ENDED_STATES.has(state)) this.#terminate();
    if (isStopping) return; // the visitor has pressed Stop; later states no longer matter
    if (state === 'failed') console.error(`worker: ${reason ?? 'failed without a reason'}`);
    this.#setState(state, reason, typeof retryInMs === 'number' ? Date.now() + retryInMs : null);
  }

  /**
   * Ends training, because the data worker stopped.
   * @param {string} detail The text of its error, or ''.
   */
  onDataFailure(detail) {
    if (this.#worker !== null) this.#fail(this.#worker, detail);
  }

  /**
   * @param {Worker} worker
   * @param {string} detail
   */
  #fail(worker, detail) {
    if (worker !== this.#worker) return;
    const event = this.#isReady ? 'The training code stopped' : 'The training code could not be loaded';
    const reason = detail ? `${event}: ${detail.replace(/^Uncaught /, '')}` : `${event}.`;
    console.error(`worker: ${reason}`);
    this.#terminate();
    this.#setState(isOutOfMemory(detail) ? 'out-of-memory' : 'failed', reason);
  }

  #terminate() {
    if (this.#stopTimer !== null) clearTimeout(this.#stopTimer);
    this.#stopTimer = null;
    this.#worker?.terminate();
    this.#worker = null;
    this.#dataWorker.disconnect(this.#dataId);
    this.#listeners.onTerminated(this);
  }

  /**
   * @param {StateName} name
   * @param {string} [reason]
   * @param {number | null} [retryAt]
   */
  #setState(name, reason = '', retryAt = null) {
    this.state = { name, reason, retryAt };
    this.#listeners.onState();
  }
}
