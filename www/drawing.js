// Draw a digit: the sheet, the reader that answers, and what it says.

import { element, setText } from './dom.js';
import { EXAMPLES } from './examples.js';
import { Guess } from './guess.js';
import { Pad } from './pad.js';
import { Reader } from './reader.js';

const SIDE = 28; // of the images that drawings can be made into
const NOTE = 'It is read on your device. No drawing leaves this page.';

export class Drawing {
  #reader;
  #guess = null;
  #example = 2;

  /** possible: whether this browser can run the reading code at all. */
  constructor(possible) {
    const pad = new Pad(element('pad'));
    this.#reader = new Reader(
      (reading) => this.#guess?.show(reading),
      (reason) => setText('draw-note', reason === '' ? NOTE : `The model cannot be fetched. ${reason}`),
    );
    if (!possible) {
      element('draw').hidden = true;
      return;
    }
    element('pad').addEventListener('drawn', () => {
      const ink = pad.ink();
      element('sheet-hint').hidden = ink.grey.some((grey) => grey > 0);
      this.#reader.read(ink, performance.now());
    });
    element('clear').addEventListener('click', () => pad.clear());
    element('example').addEventListener('click', () => {
      pad.draw(EXAMPLES[this.#example]);
      this.#example = (this.#example + 3) % EXAMPLES.length; // all of them, in no obvious order
    });
    new IntersectionObserver(([entry]) => {
      this.#reader.seen = entry.isIntersecting;
      this.refresh();
    }).observe(element('draw'));
  }

  /** Takes a status: the model may be newer, or another. */
  follow(status) {
    const { rows, cols, classes } = status.data;
    if (rows !== SIDE || cols !== SIDE) {
      element('draw').hidden = true; // of images of other sizes nobody knows how they were made
      return;
    }
    this.#guess ??= new Guess(classes);
    this.#reader.follow(status);
    this.refresh();
  }

  /** Call now and then. */
  refresh() {
    this.#reader.refresh(performance.now());
  }
}
