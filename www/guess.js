// What the model makes of the drawing: a bar for each class, the answer in words, and the image as the model sees it.

import { element, make, setText } from './dom.js';
import { formatPercent } from './format.js';

const SURE = 0.6;

export class Guess {
  #rows;
  #seen;

  /** classes: how many there are. */
  constructor(classes) {
    this.#rows = Array.from({ length: classes }, (_, digit) => {
      const row = make('li');
      const bar = make('span', 'bar');
      const fill = make('span');
      bar.append(fill);
      const percent = make('span', 'percent number', '–');
      row.append(make('span', 'digit', String(digit)), bar, percent);
      return { row, fill, percent };
    });
    element('guess').replaceChildren(...this.#rows.map(({ row }) => row));
    this.#seen = element('seen').getContext('2d');
    this.show(null);
  }

  /** @param {import('./reader.js').Reading | null} reading */
  show(reading) {
    const best = reading ? reading.probabilities.indexOf(Math.max(...reading.probabilities)) : -1;
    this.#rows.forEach(({ row, fill, percent }, digit) => {
      const share = reading?.probabilities[digit];
      row.classList.toggle('best', digit === best);
      fill.style.width = `${(share ?? 0) * 100}%`;
      percent.textContent = formatPercent(share);
    });
    element('guess').dataset.best = best === -1 ? '' : String(best);
    setText('answer', best === -1 ? 'Draw, and the model answers.' : sentence(best, reading.probabilities[best]));
    this.#showImage(reading?.image);
  }

  /** The 28 x 28 pixels that the model is given. */
  #showImage(image) {
    this.#seen.clearRect(0, 0, 28, 28);
    if (!image) return;
    const picture = new ImageData(28, 28);
    image.forEach((grey, index) => picture.data.set([grey, grey, grey, 255], 4 * index));
    this.#seen.putImageData(picture, 0, 0);
  }
}

function sentence(digit, share) {
  return share >= SURE ? `It reads: ${digit}.` : `It is not sure. Perhaps ${digit}?`;
}
