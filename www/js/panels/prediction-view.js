// @ts-check
// The model's prediction: a bar for each digit, the most likely digit in words, and the image that the model receives.

import { byId, createElement, setText, typedById } from '../shared/dom.js';
import { formatPercent } from '../shared/format.js';

const CONFIDENCE_THRESHOLD = 0.6;
const IMAGE_SIDE = 28;

/** @typedef {import('../worker/inference-client.js').Prediction} Prediction */

const ui = {
  result: byId('prediction-text'),
  list: byId('prediction'),
  image: typedById('model-input', HTMLCanvasElement),
};

/** The view of a prediction. */
export class PredictionView {
  #rows;

  /** @param {number} classes */
  constructor(classes) {
    this.#rows = Array.from({ length: classes }, (_, digit) => {
      const row = createElement('li');
      const bar = createElement('span', 'bar');
      const fill = createElement('span');
      bar.append(fill);
      const percent = createElement('span', 'percent number', '–');
      row.append(createElement('span', 'digit', String(digit)), bar, percent);
      return { row, fill, percent };
    });
    ui.list.replaceChildren(...this.#rows.map(({ row }) => row));
    this.show(null);
  }

  /** @param {Prediction | null} prediction */
  show(prediction) {
    const probabilities = prediction?.probabilities;
    const best = probabilities ? probabilities.indexOf(Math.max(...probabilities)) : -1;
    this.#rows.forEach(({ row, fill, percent }, digit) => {
      const probability = probabilities?.[digit];
      row.classList.toggle('best', digit === best);
      fill.style.width = `${(probability ?? 0) * 100}%`;
      percent.textContent = formatPercent(probability);
    });
    ui.list.dataset.best = best === -1 ? '' : String(best);
    setText(ui.result, describe(best, probabilities?.[best]));
    showImage(prediction?.image);
  }
}

/** @param {Uint8Array | undefined} image */
function showImage(image) {
  const context = ui.image.getContext('2d');
  context?.clearRect(0, 0, IMAGE_SIDE, IMAGE_SIDE);
  if (!image) return;
  const pixels = new ImageData(IMAGE_SIDE, IMAGE_SIDE);
  image.forEach((grey, index) => {
    pixels.data.set([grey, grey, grey, 255], 4 * index);
  });
  context?.putImageData(pixels, 0, 0);
}

/**
 * @param {number} digit
 * @param {number | undefined} probability
 */
function describe(digit, probability) {
  if (probability === undefined) return 'Nothing drawn yet.';
  return probability >= CONFIDENCE_THRESHOLD ? `The model reads: ${digit}.` : `Not sure. Maybe ${digit}?`;
}
