// The Web Worker around the Wasm volunteer: hands the page's messages in and the volunteer's reports out.

import init, { Volunteer, version } from './pkg/farsign_worker.js';

const actions = {
  start: (volunteer, message) => volunteer.start(message.url, message.secret, message.token),
  pause: (volunteer) => volunteer.pause(),
  stop: (volunteer) => volunteer.stop(),
  effort: (volunteer, message) => volunteer.setEffort(message.effort),
  wake: (volunteer) => volunteer.wake(),
};

let volunteer = null;
const queued = []; // what arrives before the Wasm is ready

self.onmessage = ({ data }) => {
  if (volunteer) actions[data.type](volunteer, data);
  else queued.push(data);
};

// A rejected promise does not reach the page's error handler by itself; a thrown error does.
self.addEventListener('unhandledrejection', ({ reason }) => {
  postMessage({ type: 'state', state: 'failed', reason: `The training code stopped: ${reason?.message ?? reason}` });
});

await init();
volunteer = new Volunteer((report) => postMessage(report));
postMessage({ type: 'ready', version: version() });
for (const message of queued.splice(0)) actions[message.type](volunteer, message);
