// @ts-check
// The page's side of the Web Worker that holds the training images: it exists while a training worker is connected to it.

/** @typedef {{ type: 'transferred', bytes: number } | { type: 'failed', reason: string }} DataMessage */

/**
 * @typedef {object} DataListeners
 * @property {(bytes: number) => void} onTransfer Called with the bytes of each download.
 * @property {(detail: string) => void} onFailure Called after the worker stopped, with the text of its error or ''.
 */

/** A handle of the data worker. */
export class DataWorkerHandle {
  /** @type {Worker | null} */
  #worker = null;
  /** @type {Set<number>} The connected training workers. */
  #connected = new Set();
  #lastId = 0;
  #listeners;

  /** @param {DataListeners} listeners */
  constructor(listeners) {
    this.#listeners = listeners;
  }

  /**
   * Connects a training worker, and returns its number and its end of the channel.
   * @returns {{ id: number, port: MessagePort }}
   */
  connect() {
    const { port1, port2 } = new MessageChannel();
    this.#lastId += 1;
    const id = this.#lastId;
    this.#connected.add(id);
    this.#ensureWorker().postMessage({ type: 'connect', id, port: port1 }, [port1]);
    return { id, port: port2 };
  }

  /**
   * Disconnects a training worker that was terminated. Without any, the images are no longer needed.
   * @param {number} id
   */
  disconnect(id) {
    if (!this.#connected.delete(id)) return;
    this.#worker?.postMessage({ type: 'disconnect', id });
    if (this.#connected.size === 0) this.#terminate();
  }

  #ensureWorker() {
    if (this.#worker !== null) return this.#worker;
    const worker = new Worker(new URL('./data-worker.js', import.meta.url), { type: 'module' });
    worker.onmessage = ({ data }) => {
      if (worker === this.#worker) this.#onMessage(data);
    };
    worker.onmessageerror = () => this.#fail(worker, 'The page received an unreadable message.');
    worker.onerror = (event) => this.#fail(worker, event.message);
    this.#worker = worker;
    return worker;
  }

  /** @param {DataMessage} message */
  #onMessage(message) {
    if (message.type === 'transferred') this.#listeners.onTransfer(message.bytes);
    else if (this.#worker !== null) this.#fail(this.#worker, message.reason);
  }

  /**
   * @param {Worker} worker
   * @param {string} detail
   */
  #fail(worker, detail) {
    if (worker !== this.#worker) return;
    this.#terminate();
    this.#listeners.onFailure(detail);
  }

  #terminate() {
    this.#connected.clear();
    this.#worker?.terminate();
    this.#worker = null;
  }
}
