// The volunteers of this tab, one for each core, as one: what the person wants goes to all of them, and their states
// become one state.
//
//   wanted: nothing --start--> work --pause--> rest --start--> work      stop, or the end of all: nothing
//   a hold (battery, hidden tab, ...) rests all of them while work is wanted, and lets them go on afterwards

import { Volunteer } from './volunteer.js';

/** Of several states the first of these is that of the crew. */
const MOST_TELLING = [
  'working', 'loading-data', 'connecting', 'reconnecting', 'preparing', 'finished', 'removed', 'failed', 'paused',
  'stopped', 'idle',
];
const OVER = new Set(['finished', 'removed', 'failed']);
const AT_REST = new Set(['idle', 'paused', 'stopped', 'preparing']);

export class Crew {
  #make;
  #pass;
  #onState;
  #volunteers = [];
  #cores;
  #effort;
  #wanted = 'nothing';
  #hold = '';

  /** How many volunteers there are, and how many of them work. */
  size = { working: 0, all: 1 };
  /** @type {import('./volunteer.js').State} */
  state = { name: 'preparing', reason: '', retryAt: null };

  /** settings: cores and effort. pass(index): a promise of what volunteer `index` shows at the door.
   *  listeners: onReady(version), onState(), onProgress(volunteer, report), onWorkerGone(volunteer). */
  constructor(socketUrl, settings, pass, { onState, ...others }) {
    this.#cores = settings.cores;
    this.#effort = settings.effort;
    this.#pass = pass;
    this.#onState = onState;
    const listeners = { onState: () => this.#combine(), ...others };
    this.#make = () => new Volunteer(socketUrl, this.#effort, listeners);
  }

  /** Loads the training code, for one core; the others follow when they are needed. */
  prepare() {
    this.#volunteers = [this.#make()];
    this.#volunteers[0].prepare();
  }

  start() {
    this.#wanted = 'work';
    this.#workOrRest({ again: true });
    if (this.#hold !== '') this.#combine(); // nobody's state may have changed, and yet they wait for something else now
  }

  pause() {
    this.#wanted = 'rest';
    for (const volunteer of this.#volunteers) volunteer.pause();
  }

  stop() {
    this.#wanted = 'nothing';
    for (const volunteer of this.#volunteers) volunteer.stop();
    this.#combine();
  }

  /** reason: why to rest, as a sentence; '' lets them go on. */
  hold(reason) {
    if (reason === this.#hold) return;
    this.#hold = reason;
    this.#workOrRest({ again: false });
    this.#combine();
  }

  setEffort(effort) {
    this.#effort = effort;
    for (const volunteer of this.#volunteers) volunteer.setEffort(effort);
  }

  setCores(cores) {
    this.#cores = cores;
    for (const volunteer of this.#volunteers.splice(cores)) volunteer.stop();
    this.#workOrRest({ again: false });
    this.#combine();
  }

  wake() {
    for (const volunteer of this.#volunteers) volunteer.wake();
  }

  /** After a run has finished and another has begun on the server. */
  reset() {
    for (const volunteer of this.#volunteers) volunteer.reset();
  }

  /** again: also those who were sent away or failed. */
  #workOrRest({ again }) {
    if (this.#wanted !== 'work') return;
    while (this.#volunteers.length < this.#cores) this.#volunteers.push(this.#make());
    this.#volunteers.forEach((volunteer, index) => {
      const { name } = volunteer.state;
      if (this.#hold !== '') {
        if (name !== 'paused' && (again || !OVER.has(name))) volunteer.pause();
      } else if (AT_REST.has(name) || (again && OVER.has(name))) {
        this.#startOne(volunteer, index);
      }
    });
  }

  async #startOne(volunteer, index) {
    const pass = await this.#pass(index);
    // Whatever happened meanwhile counts.
    const stays = this.#volunteers.includes(volunteer) && this.#wanted === 'work' && this.#hold === '';
    if (stays) volunteer.start(pass);
  }

  #combine() {
    const states = this.#volunteers.map(({ state }) => state);
    const name = MOST_TELLING.find((one) => states.some((state) => state.name === one)) ?? 'preparing';
    if (this.#wanted === 'work' && states.length > 0 && states.every((state) => OVER.has(state.name))) {
      this.#wanted = 'nothing';
    }
    const working = states.filter((state) => state.name === 'working').length;
    this.size = { working, all: states.length };
    const held = this.#wanted === 'work' && this.#hold !== '' && !OVER.has(name);
    this.state = held
      ? { name: 'held', reason: this.#hold, retryAt: null }
      : (states.find((state) => state.name === name) ?? { name, reason: '', retryAt: null });
    this.#onState();
  }
}
