// The page forwards calls to the worker, which measures.

const worker = new Worker('worker.js');
const pending = new Map();
let calls = 0;

worker.onmessage = ({ data: { call, result, error } }) => {
  const { resolve, reject } = pending.get(call);
  pending.delete(call);
  if (error) reject(new Error(error));
  else resolve(result);
};
worker.onerror = ({ message }) => {
  for (const { reject } of pending.values()) reject(new Error(message));
};

/** Calls a function of worker.js. The browser's driver awaits the promise. */
window.call = (name, ...values) => new Promise((resolve, reject) => {
  pending.set(++calls, { resolve, reject });
  worker.postMessage({ call: calls, name, values });
});
