// The page does nothing but pass calls on to the worker in which everything is measured.

const worker = new Worker('worker.js');
const waiting = new Map();
let calls = 0;

worker.onmessage = ({ data: { call, result, error } }) => {
  const { resolve, reject } = waiting.get(call);
  waiting.delete(call);
  if (error) reject(new Error(error));
  else resolve(result);
};
worker.onerror = ({ message }) => {
  for (const { reject } of waiting.values()) reject(new Error(message));
};

/** Calls a function of worker.js; the browser's driver waits for the promise. */
window.call = (name, ...values) => new Promise((resolve, reject) => {
  waiting.set(++calls, { resolve, reject });
  worker.postMessage({ call: calls, name, values });
});
