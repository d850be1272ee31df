// Reads drawings in a Web Worker of its own, and keeps its model fresh while somebody looks: never before the first
// drawing, never for a model it has already, often while the person draws and seldom afterwards.

const FRESH_MS = 2500; // between two models, while the drawing is new
const LATER_MS = 15_000; // and afterwards
const NEW_FOR_MS = 60_000;

/** @typedef {{probabilities: Float32Array, image: Uint8Array}} Reading image: what the model sees, 28 x 28. */

export class Reader {
  #worker = null;
  #onReading;
  #onFailure;
  #run = null; // {id, layers, accepted} of the last status
  #asked = { run: null, accepted: -1, at: -Infinity };
  #asking = false;
  #drawing = null; // the last message with one
  #drawnAt = -Infinity;
  #blank = true;
  /** Whether anybody can see the answer. */
  seen = false;

  /** onReading(Reading or null): null when the sheet is blank. onFailure(reason): a sentence, or '' when it is over. */
  constructor(onReading, onFailure) {
    this.#onReading = onReading;
    this.#onFailure = onFailure;
  }

  /** Takes a drawing: grey values in rows of `width`. */
  read({ grey, width }, now) {
    this.#drawnAt = now;
    this.#blank = !grey.some((value) => value > 0);
    this.#drawing = { type: 'drawing', grey, width };
    if (this.#blank && this.#worker === null) return;
    if (this.#worker === null) this.#ensureWorker();
    else this.#worker.postMessage(this.#drawing);
    this.refresh(now);
  }

  /** Takes a status: which model there is now. */
  follow({ run, model, accepted }) {
    this.#run = { id: run.id, layers: model.layers, accepted };
  }

  /** Fetches the model if there is a newer one, and it is time. */
  refresh(now) {
    if (this.#blank || this.#asking || this.#run === null || !this.seen || document.hidden) return;
    const { run, accepted, at } = this.#asked;
    if (run === this.#run.id && accepted === this.#run.accepted) return;
    const pause = now - this.#drawnAt < NEW_FOR_MS ? FRESH_MS : LATER_MS;
    if (now - at < pause) return;
    this.#asking = true;
    this.#asked = { run: this.#run.id, accepted: this.#run.accepted, at: now };
    const url = new URL('api/v1/model', document.baseURI).href;
    this.#ensureWorker().postMessage({ type: 'model', url, layers: this.#run.layers });
  }

  /** A new worker knows the last drawing. */
  #ensureWorker() {
    if (this.#worker !== null) return this.#worker;
    const worker = new Worker(new URL('./reader-worker.js', import.meta.url), { type: 'module' });
    worker.onmessage = ({ data }) => {
      if (worker === this.#worker) this.#take(data);
    };
    worker.onerror = (event) => {
      if (worker === this.#worker) this.#lose(event.message || 'The reading code could not be loaded.');
    };
    if (this.#drawing !== null) worker.postMessage(this.#drawing);
    this.#worker = worker;
    return worker;
  }

  /** It cannot go on; another is made when it is time to fetch a model again. */
  #lose(reason) {
    this.#worker.terminate();
    this.#worker = null;
    this.#take({ type: 'failed', reason });
  }

  #take(message) {
    if (message.type === 'reading') this.#onReading(message);
    if (message.type === 'blank') this.#onReading(null);
    if (message.type === 'model' || message.type === 'failed') this.#asking = false;
    if (message.type === 'model') this.#onFailure('');
    if (message.type === 'failed') {
      this.#asked.run = null; // asked for again when it is time
      this.#onFailure(message.reason);
    }
  }
}
