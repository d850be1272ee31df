// The Web Worker that reads drawings: fetches the shared model, and answers with the probability of each digit.
//
//   page -> {type: 'model', url, layers}          <- {type: 'model'} | {type: 'failed', reason}
//   page -> {type: 'drawing', grey, width}        <- {type: 'reading', probabilities, image} | {type: 'blank'}
//
// The last drawing is read again whenever a newer model has come. Where the WebAssembly part could not be loaded, the next
// message tries again.

import init, { Reader, centred } from './pkg/farsign_worker.js';

let loading = null;
let reader = null;
let readerLayers = '';
let drawing = null; // until it can be made an image
let image = null;

load().catch(() => {}); // said below, to whoever asks for something

self.onmessage = async ({ data }) => {
  try {
    if (data.type === 'drawing') drawing = data;
    await load();
    if (drawing !== null) {
      image = centred(drawing.grey, drawing.width) ?? null;
      drawing = null;
    }
    if (data.type === 'model') await takeModel(data.url, data.layers);
    read();
  } catch (error) {
    postMessage({ type: 'failed', reason: error.message });
  }
};

function load() {
  loading ??= init().catch((error) => {
    loading = null;
    throw error;
  });
  return loading;
}

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
