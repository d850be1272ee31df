// The Web Worker that reads drawings: fetches the shared model, and answers with the probability of each digit.
//
//   page -> {type: 'model', url, layers}          <- {type: 'model'} | {type: 'failed', reason}
//   page -> {type: 'drawing', grey, width}        <- {type: 'reading', probabilities, image} | {type: 'blank'}
//
// The last drawing is read again whenever a newer model has come.

import init, { Reader, centred } from './pkg/farsign_worker.js';

const ready = init();
ready.catch(() => {}); // said below, to whoever asks for something
let reader = null;
let readerLayers = '';
let image = null;

self.onmessage = async ({ data }) => {
  try {
    await ready;
    if (data.type === 'model') await takeModel(data.url, data.layers);
    else image = centred(data.grey, data.width) ?? null;
    read();
  } catch (error) {
    postMessage({ type: 'failed', reason: error.message });
  }
};

async function takeModel(url, layers) {
  const response = await fetch(url, { cache: 'no-cache' });
  if (!response.ok) throw new Error(`The server answered ${response.status}.`);
  const frame = new Uint8Array(await response.arrayBuffer());
  if (readerLayers !== layers.join()) {
    reader = new Reader(Uint32Array.from(layers));
    readerLayers = layers.join();
  }
  reader.take(frame);
  postMessage({ type: 'model' });
}

function read() {
  const probabilities = image === null ? undefined : reader?.probabilities(image);
  if (image === null) postMessage({ type: 'blank' });
  else if (probabilities) postMessage({ type: 'reading', probabilities, image });
}
