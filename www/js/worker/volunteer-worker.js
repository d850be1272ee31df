// @ts-check
// The Web Worker around the Wasm volunteer: forwards the page's commands to the volunteer, and its events to the page.

import init, { Volunteer, version } from '../../pkg/farsign_worker.js';
import { measureTransfers } from '../shared/transfer-meter.js';
import { isOutOfMemory } from './out-of-memory.js';

/**
 * @typedef {{ type: string, url: string, secret?: Uint8Array, token?: string, effort: number,
 *   bytesPerHour: number | null, cores: number, slots: Float64Array, port: MessagePort }} Command
 */

/** @type {Record<string, (volunteer: Volunteer, command: Command) => void>} */
const actions = {
  start: (volunteer, { url, secret, token }) => volunteer.start(url, secret, token),
  pause: (volunteer) => volunteer.pause(),
  stop: (volunteer) => volunteer.stop(),
  effort: (volunteer, { effort }) => volunteer.setEffort(effort),
  'line-budget': (volunteer, { bytesPerHour, cores }) => volunteer.setLineBudget(bytesPerHour ?? undefined, cores),
  'line-usage': (volunteer, { slots }) => volunteer.receiveLineUsage(slots),
  wake: (volunteer) => volunteer.wake(),
};

/** @type {Volunteer | null} Created by the first command, `connect`, with the channel to the data worker. */
let volunteer = null;
/** @type {Command[] | null} Commands that arrive before the Wasm module is ready; `null` afterwards. */
let queue = [];

self.onmessage = ({ data }) => {
  if (queue) queue.push(data);
  else execute(data);
};

/** @param {Command} command */
function execute(command) {
  if (volunteer) {
    actions[command.type](volunteer, command);
    return;
  }
  volunteer = new Volunteer((/** @type {unknown} */ event) => postMessage(event), command.port);
  postMessage({ type: 'ready', version: version() });
}

// A rejected promise does not reach the page's error handler; an exception does.
self.addEventListener('unhandledrejection', ({ reason }) => {
  const state = isOutOfMemory(reason) ? 'out-of-memory' : 'failed';
  postMessage({ type: 'state', state, reason: `The training code stopped: ${reason?.message ?? reason}` });
});

measureTransfers((bytes) => postMessage({ type: 'transferred', bytes }));
await init();
const early = queue;
queue = null;
early.forEach(execute);
