// @ts-check
// The Web Worker around the Wasm volunteer: forwards the page's commands to the volunteer, and its events to the page.

import init, { Volunteer, version } from '../../pkg/farsign_worker.js';
import { measureTransfers } from '../shared/transfer-meter.js';
import { isOutOfMemory } from './out-of-memory.js';

/**
 * @typedef {{ type: string, url: string, secret?: Uint8Array, token?: string, effort: number,
 *   bytesPerHour: number | null, slots: Float64Array }} Command
 */

/** @type {Record<string, (volunteer: Volunteer, command: Command) => void>} */
const actions = {
  start: (volunteer, { url, secret, token }) => volunteer.start(url, secret, token),
  pause: (volunteer) => volunteer.pause(),
  stop: (volunteer) => volunteer.stop(),
  effort: (volunteer, { effort }) => volunteer.setEffort(effort),
  'line-budget': (volunteer, { bytesPerHour }) => volunteer.setLineBudget(bytesPerHour ?? undefined),
  'line-usage': (volunteer, { slots }) => volunteer.receiveLineUsage(slots),
  wake: (volunteer) => volunteer.wake(),
};

/** @type {Volunteer | null} */
let volunteer = null;
/** @type {Command[]} Commands that arrive before the Wasm module is ready. */
const queue = [];

self.onmessage = ({ data }) => {
  if (volunteer) actions[data.type](volunteer, data);
  else queue.push(data);
};

// A rejected promise does not reach the page's error handler; an exception does.
self.addEventListener('unhandledrejection', ({ reason }) => {
  const state = isOutOfMemory(reason) ? 'out-of-memory' : 'failed';
  postMessage({ type: 'state', state, reason: `The training code stopped: ${reason?.message ?? reason}` });
});

measureTransfers((bytes) => postMessage({ type: 'transferred', bytes }));
await init();
volunteer = new Volunteer((/** @type {unknown} */ event) => postMessage(event));
postMessage({ type: 'ready', version: version() });
for (const command of queue.splice(0)) actions[command.type](volunteer, command);
