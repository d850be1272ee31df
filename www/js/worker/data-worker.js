// @ts-check
// The Web Worker that holds the training images of this tab: downloads them, and draws from them for the training workers.
//
//   page -> {type: 'connect', id, port}        a training worker is at the other end of the port
//   page -> {type: 'disconnect', id}           it was terminated
//                                              <- {type: 'transferred', bytes}, after each download
//                                              <- {type: 'failed', reason}

import init, { DataWorker } from '../../pkg/farsign_worker.js';
import { measureTransfers } from '../shared/transfer-meter.js';

/** @typedef {{ type: string, id: number, port: MessagePort }} Command */

/** @type {Record<string, (holder: DataWorker, command: Command) => void>} */
const actions = {
  connect: (holder, { id, port }) => holder.connect(id, port),
  disconnect: (holder, { id }) => holder.disconnect(id),
};

/** @type {DataWorker | null} */
let holder = null;
/** @type {Command[]} Commands that arrive before the Wasm module is ready. */
const queue = [];

self.onmessage = ({ data }) => {
  if (holder) actions[data.type](holder, data);
  else queue.push(data);
};

// A rejected promise does not reach the page's error handler; an exception does.
self.addEventListener('unhandledrejection', ({ reason }) => {
  postMessage({ type: 'failed', reason: String(reason) });
});

measureTransfers((bytes) => postMessage({ type: 'transferred', bytes }));
await init();
holder = new DataWorker();
for (const command of queue.splice(0)) actions[command.type](holder, command);
