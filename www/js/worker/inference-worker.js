// @ts-check
// The Web Worker that recognizes drawings: fetches the shared model and computes the probability of each digit.
//
//   page -> {type: 'model', url, layers}          <- {type: 'model'} | {type: 'failed', reason}
//   page -> {type: 'drawing', grey, width}        <- {type: 'prediction', probabilities, image} | {type: 'blank'}
//                                                 <- {type: 'transferred', bytes}, after each download
//
// Each newer model recognizes the last drawing again. If the Wasm module could not be loaded, the next message retries.

import init, { Classifier, normalizeDrawing } from '../../pkg/farsign_worker.js';
import { measureTransfers } from '../shared/transfer-meter.js';
import { isOutOfMemory } from './out-of-memory.js';

/** @typedef {{ grey: Uint8Array, width: number }} Drawing Grey values, 0 to 255, in rows of `width`. */

/** @type {Promise<unknown> | null} */
let loading = null;
/** @type {Classifier | null} */
let classifier = null;
let classifierLayers = '';
/** @type {Drawing | null} A drawing that has not been normalized yet. */
let drawing = null;
/** @type {Uint8Array | null} */
let image = null;

measureTransfers((bytes) => postMessage({ type: 'transferred', bytes }));
load().catch(() => {}); // a failure is reported with the first message

self.onmessage = async ({ data }) => {
  try {
    if (data.type === 'drawing') drawing = data;
    await load();
    if (drawing !== null) {
      image = normalizeDrawing(drawing.grey, drawing.width) ?? null;
      drawing = null;
    }
    if (data.type === 'model') await loadModel(data.url, data.layers);
    predict();
  } catch (error) {
    const isError = error instanceof Error && !isOutOfMemory(error);
    postMessage({ type: 'failed', reason: isError ? error.message : String(error) });
  }
};

function load() {
  loading ??= init().catch((error) => {
    loading = null;
    throw error;
  });
  return loading;
}

/**
 * @param {string} url
 * @param {number[]} layers
 */
async function loadModel(url, layers) {
  const response = await fetch(url, { cache: 'no-cache' });
  if (!response.ok) throw new Error(`The server responded with error ${response.status}.`);
  const frame = new Uint8Array(await response.arrayBuffer());
  if (classifier === null || classifierLayers !== layers.join()) {
    classifier = new Classifier(Uint32Array.from(layers));
    classifierLayers = layers.join();
  }
  classifier.loadVersion(frame);
  postMessage({ type: 'model' });
}

function predict() {
  if (image === null) {
    postMessage({ type: 'blank' });
    return;
  }
  const probabilities = classifier?.probabilities(image);
  if (probabilities) postMessage({ type: 'prediction', probabilities, image });
}
