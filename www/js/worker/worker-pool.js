// @ts-check
// The training workers of this tab, one for each core, controlled as one: commands go to all workers, and their states
// are combined into one state. They share one data worker.
//
//   goal: stop --start()--> work --pause()--> pause --start()--> work      stop(), or all workers ended: stop
//   a hold (battery, hidden tab, ...) pauses all workers while the goal is work, and its end resumes them

import { DataWorkerHandle } from './data-worker-handle.js';
import { WorkerHandle } from './worker-handle.js';

/** @typedef {import('./worker-handle.js').StateName} StateName */
/** @typedef {import('./worker-handle.js').WorkerState} WorkerState */
/** @typedef {import('./worker-handle.js').WorkerListeners} WorkerListeners */
/** @typedef {import('./worker-handle.js').Credentials} Credentials */
/** @typedef {import('./worker-handle.js').Limits} Limits */
/** @typedef {{ working: number, outOfMemory: number, all: number }} PoolSize Numbers of workers. */

/**
 * The pool is in the first of these states that any worker is in.
 * @type {StateName[]}
 */
const STATE_PRIORITY = [
  'working',
  'resting',
  'line-budget-used',
  'loading-data',
  'connecting',
  'reconnecting',
  'too-slow',
  'preparing',
  'finished',
  'ejected',
  'out-of-memory',
  'failed',
  'paused',
  'stopped',
  'idle',
];
/** @type {Set<StateName>} */
const TERMINAL_STATES = new Set(['finished', 'ejected', 'out-of-memory', 'failed']);
/** @type {Set<StateName>} */
const IDLE_STATES = new Set(['idle', 'paused', 'stopped', 'preparing']);

/** A pool of training workers. */
export class WorkerPool {
  #createWorker;
  #credentials;
  #onState;
  /** @type {WorkerHandle[]} */
  #workers = [];
  /** @type {Limits} */
  #limits;
  /** @type {'stop' | 'work' | 'pause'} */
  #goal = 'stop';
  #holdReason = '';

  /** @type {PoolSize} */
  size = { working: 0, outOfMemory: 0, all: 1 };
  /** @type {WorkerState} */
  state = { name: 'preparing', reason: '', retryAt: null };

  /**
   * @param {string} socketUrl
   * @param {Limits} limits
   * @param {(index: number) => Promise<Credentials>} credentials Returns the credentials of worker number `index`.
   * @param {WorkerListeners} listeners
   */
  constructor(socketUrl, limits, credentials, { onState, ...others }) {
    this.#limits = limits;
    this.#credentials = credentials;
    this.#onState = onState;
    const listeners = { onState: () => this.#combineStates(), ...others };
    const dataWorker = new DataWorkerHandle({
      onTransfer: others.onTransfer,
      onFailure: (detail) => this.#onDataFailure(detail),
    });
    this.#createWorker = () => new WorkerHandle(socketUrl, dataWorker, this.#limits, listeners);
  }

  /** Loads the training code in one worker. The other workers are created when they are needed. */
  prepare() {
    const worker = this.#createWorker();
    this.#workers = [worker];
    worker.prepare();
  }

  start() {
    this.#goal = 'work';
    this.#applyGoal({ restartEnded: true });
    if (this.#holdReason !== '') this.#combineStates(); // the reason to wait may have changed without any worker's state
  }

  pause() {
    this.#goal = 'pause';
    for (const worker of this.#workers) worker.pause();
  }

  stop() {
    this.#goal = 'stop';
    for (const worker of this.#workers) worker.stop();
    this.#combineStates();
  }

  /** @param {string} reason Why to pause all workers, as a sentence; '' resumes them. */
  hold(reason) {
    if (reason === this.#holdReason) return;
    this.#holdReason = reason;
    this.#applyGoal({ restartEnded: false });
    this.#combineStates();
  }

  /** @param {Limits} limits */
  setLimits(limits) {
    this.#limits = limits;
    for (const worker of this.#workers.splice(limits.cores)) worker.stop();
    for (const worker of this.#workers) worker.setLimits(limits);
    this.#applyGoal({ restartEnded: false });
    this.#combineStates();
  }

  wake() {
    for (const worker of this.#workers) worker.wake();
  }

  /** Returns to idle after the end of a run, when the server has begun another. */
  reset() {
    for (const worker of this.#workers) worker.reset();
  }

  /** @param {{ restartEnded: boolean }} options Whether to start ejected and failed workers again. */
  #applyGoal({ restartEnded }) {
    if (this.#goal !== 'work') return;
    while (this.#workers.length < this.#limits.cores) this.#workers.push(this.#createWorker());
    this.#workers.forEach((worker, index) => {
      const { name } = worker.state;
      if (this.#holdReason !== '') {
        if (name !== 'paused' && (restartEnded || !TERMINAL_STATES.has(name))) worker.pause();
      } else if (IDLE_STATES.has(name) || (restartEnded && TERMINAL_STATES.has(name))) {
        this.#startWorker(worker, index);
      }
    });
  }

  /**
   * @param {WorkerHandle} worker
   * @param {number} index
   */
  async #startWorker(worker, index) {
    const credentials = await this.#credentials(index);
    // The goal may have changed in the meantime.
    const isWanted = this.#workers.includes(worker) && this.#goal === 'work' && this.#holdReason === '';
    if (isWanted) worker.start(credentials);
  }

  /** @param {string} detail */
  #onDataFailure(detail) {
    for (const worker of this.#workers) worker.onDataFailure(detail);
  }

  #combineStates() {
    const states = this.#workers.map(({ state }) => state);
    const name = STATE_PRIORITY.find((one) => states.some((state) => state.name === one)) ?? 'preparing';
    if (this.#goal === 'work' && states.length > 0 && states.every((state) => TERMINAL_STATES.has(state.name))) {
      this.#goal = 'stop';
    }
    /** @param {StateName[]} names */
    const count = (...names) => states.filter((state) => names.includes(state.name)).length;
    this.size = {
      working: count('working', 'resting'),
      outOfMemory: count('out-of-memory'),
      all: states.length,
    };
    const isHeld = this.#goal === 'work' && this.#holdReason !== '' && !TERMINAL_STATES.has(name);
    this.state = isHeld
      ? { name: 'waiting', reason: this.#holdReason, retryAt: null }
      : (states.find((state) => state.name === name) ?? { name, reason: '', retryAt: null });
    this.#onState();
  }
}
