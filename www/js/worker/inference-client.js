// @ts-check
// The page's side of the inference worker. Keeps the worker's model fresh while the result is visible: the first model
// is fetched after the first drawing, later ones often while the drawing is new and rarely afterwards. A line budget
// limits them: none follow when it is used up, and after the first minute none when half of it is.

import { isOutOfMemory } from './out-of-memory.js';

const ACTIVE_INTERVAL_MS = 2500; // between two models while the drawing is new
const IDLE_INTERVAL_MS = 15_000; // and afterwards
const ACTIVE_FOR_MS = 60_000;
const IDLE_LINE_FRACTION = 0.5;
const OUT_OF_MEMORY = 'There is not enough free memory. Close other tabs and programs, then draw again.';

/** @typedef {import('../api/status-client.js').Status} Status */
/** @typedef {{ grey: Uint8Array, width: number }} Drawing Grey values, 0 to 255, in rows of `width`. */
/** @typedef {{ probabilities: Float32Array, image: Uint8Array }} Prediction The image is the model's input, 28 x 28. */
/**
 * @typedef {{ type: 'model' } | { type: 'blank' } | { type: 'prediction' } & Prediction
 *   | { type: 'transferred', bytes: number } | { type: 'failed', reason: string }} InferenceMessage
 */

/** A client of the inference worker. */
export class InferenceClient {
  /** @type {Worker | null} */
  #worker = null;
  #onPrediction;
  #onFailure;
  #onTransfer;
  /** @type {{ runId: string, layers: number[], accepted: number } | null} The model of the last status. */
  #model = null;
  /** @type {{ runId: string | null, accepted: number, at: number }} */
  #requested = { runId: null, accepted: -1, at: Number.NEGATIVE_INFINITY };
  #isRequesting = false;
  /** @type {{ type: 'drawing' } & Drawing | null} The last drawing message. */
  #drawing = null;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #isBlank = true;
  /** Set until the next drawing, so that no request repeats the failure. */
  #isOutOfMemory = false;
  /** Whether the result is visible. */
  isVisible = false;
  /** The used fraction of the line budget; 0 without a budget. */
  usedLine = 0;

  /**
   * @param {(prediction: Prediction | null) => void} onPrediction Called with `null` for an empty drawing.
   * @param {(reason: string) => void} onFailure Called with a sentence, or '' when the failure is over.
   * @param {(bytes: number) => void} onTransfer Called with the bytes of each download.
   */
  constructor(onPrediction, onFailure, onTransfer) {
    this.#onPrediction = onPrediction;
    this.#onFailure = onFailure;
    this.#onTransfer = onTransfer;
  }

  /**
   * Recognizes a drawing.
   * @param {Drawing} drawing
   * @param {number} now
   */
  predict({ grey, width }, now) {
    this.#drawnAt = now;
    this.#isBlank = !grey.some((value) => value > 0);
    this.#isOutOfMemory = false;
    this.#drawing = { type: 'drawing', grey, width };
    if (this.#worker !== null) this.#worker.postMessage(this.#drawing);
    else if (this.#isBlank) return;
    else this.#ensureWorker();
    this.refresh(now);
  }

  /**
   * Notes the model of a status.
   * @param {Status} status
   */
  update({ run, model, accepted }) {
    this.#model = { runId: run.id, layers: model.layers, accepted };
  }

  /**
   * Fetches the model if it is newer and the interval has passed.
   * @param {number} now
   */
  refresh(now) {
    const model = this.#model;
    const isIdle = this.#isBlank || this.#isRequesting || this.#isOutOfMemory;
    if (isIdle || model === null || !this.isVisible || document.hidden) return;
    const { runId, accepted, at } = this.#requested;
    if (runId === model.runId && accepted === model.accepted) return;
    const isNew = now - this.#drawnAt < ACTIVE_FOR_MS;
    if (now - at < (isNew ? ACTIVE_INTERVAL_MS : IDLE_INTERVAL_MS)) return;
    const isFirst = runId === null;
    if (!isFirst && this.usedLine >= (isNew ? 1 : IDLE_LINE_FRACTION)) return;
    this.#isRequesting = true;
    this.#requested = { runId: model.runId, accepted: model.accepted, at: now };
    const url = new URL('api/v1/model', document.baseURI).href;
    this.#ensureWorker().postMessage({ type: 'model', url, layers: model.layers });
  }

  /** A new worker receives the last drawing. */
  #ensureWorker() {
    if (this.#worker !== null) return this.#worker;
    const worker = new Worker(new URL('./inference-worker.js', import.meta.url), { type: 'module' });
    worker.onmessage = ({ data }) => {
      if (worker === this.#worker) this.#onMessage(data);
    };
    worker.onerror = (event) => {
      if (worker === this.#worker) this.#onError(event.message || 'The recognition code could not be loaded.');
    };
    if (this.#drawing !== null) worker.postMessage(this.#drawing);
    this.#worker = worker;
    return worker;
  }

  /**
   * Terminates the worker. The next fetch of a model creates another.
   * @param {string} reason
   */
  #onError(reason) {
    this.#worker?.terminate();
    this.#worker = null;
    this.#isRequesting = false;
    this.#requested.runId = null; // requested again after the interval
    this.#isOutOfMemory = isOutOfMemory(reason);
    this.#onFailure(this.#isOutOfMemory ? OUT_OF_MEMORY : reason);
  }

  /** @param {InferenceMessage} message */
  #onMessage(message) {
    if (message.type === 'prediction') this.#onPrediction(message);
    if (message.type === 'transferred') this.#onTransfer(message.bytes);
    if (message.type === 'blank') this.#onPrediction(null);
    if (message.type === 'model' || message.type === 'failed') this.#isRequesting = false;
    if (message.type === 'model') this.#onFailure('');
    if (message.type === 'failed') {
      if (isOutOfMemory(message.reason)) {
        this.#onError(message.reason);
      } else {
        this.#requested.runId = null; // requested again after the interval
        this.#onFailure(message.reason);
      }
    }
  }
}
