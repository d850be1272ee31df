// @ts-check
// "Draw a digit": the drawing area, and what the shared model reads.

import { byId, setText, typedById } from '../shared/dom.js';
import { InferenceClient } from '../worker/inference-client.js';
import { DrawingCanvas } from './drawing-canvas.js';
import { EXAMPLE_DIGITS } from './example-digits.js';
import { PredictionView } from './prediction-view.js';

const FIRST_EXAMPLE = 2;
const EXAMPLE_STEP = 3; // cycles through all ten digits out of order
const NOTE = 'Your drawing is read on your device and never leaves this page.';

const ui = {
  panel: byId('draw'),
  title: byId('draw-title'),
  canvas: typedById('drawing', HTMLCanvasElement),
  hint: byId('drawing-hint'),
  example: byId('example'),
  clear: byId('clear'),
  note: byId('drawing-note'),
};

/** The drawing panel. */
export class DrawingPanel {
  #client;
  /** @type {PredictionView | null} */
  #view = null;
  #nextExample = FIRST_EXAMPLE;

  /**
   * @param {boolean} isSupported Whether this browser can run the recognition code.
   * @param {(bytes: number) => void} onTransfer Called with the bytes of each download.
   */
  constructor(isSupported, onTransfer) {
    const canvas = new DrawingCanvas(ui.canvas);
    this.#client = new InferenceClient(
      (prediction) => this.#view?.show(prediction),
      (reason) => setText(ui.note, reason === '' ? NOTE : `The model could not be loaded. ${reason}`),
      onTransfer,
    );
    if (!isSupported) {
      ui.panel.hidden = true;
      return;
    }
    ui.canvas.addEventListener('drawn', () => {
      const ink = canvas.ink();
      ui.hint.hidden = ink.grey.some((grey) => grey > 0);
      this.#client.predict(ink, performance.now());
    });
    ui.clear.addEventListener('click', () => canvas.clear());
    ui.example.addEventListener('click', () => {
      canvas.draw(EXAMPLE_DIGITS[this.#nextExample]);
      this.#nextExample = (this.#nextExample + EXAMPLE_STEP) % EXAMPLE_DIGITS.length;
    });
    new IntersectionObserver(([entry]) => {
      this.#client.isVisible = entry.isIntersecting;
      this.refresh();
    }).observe(ui.panel);
  }

  /** @param {import('../api/status-client.js').Status} status */
  update(status) {
    const { content, classes } = status.data;
    // Other images than upright digits, white on black, have nothing in common with a drawing.
    ui.panel.hidden = content !== 'digits';
    if (ui.panel.hidden) return;
    setText(ui.title, 'Draw a digit');
    this.#view ??= new PredictionView(classes);
    this.#client.update(status);
    this.refresh();
  }

  /**
   * Call periodically.
   * @param {number} usedLine The used fraction of the line budget; 0 without a budget.
   */
  refreshWithin(usedLine) {
    this.#client.usedLine = usedLine;
    this.refresh();
  }

  refresh() {
    this.#client.refresh(performance.now());
  }
}
