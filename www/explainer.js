// Shows the toy: two maps on which the model walks to the goal, once by averaged numbers and once by signs.

import { element, make, setText } from './dom.js';
import { formatCount } from './format.js';
import { remaining, simulate, start, volunteers } from './toy.js';

const ANSWERS_PER_FRAME = 2;
const EDGE = 3.6; // of the map, which shows -4 to 4

export class Explainer {
  #people;
  #answers = [];
  #shown = 0;
  #frame = null;
  #seed = 1;
  #seen = false;

  constructor() {
    this.#people = Array.from({ length: volunteers }, () => make('span', 'person'));
    element('toy-people').replaceChildren(...this.#people);
    element('toy-attack').addEventListener('change', () => this.#run());
    element('toy-liars').addEventListener('input', () => {
      element('toy-attack').checked = true;
      this.#run();
    });
    element('toy-again').addEventListener('click', () => {
      this.#seed += 1;
      this.#run();
    });
    new IntersectionObserver(([entry]) => {
      this.#seen = entry.isIntersecting;
      if (this.#seen) this.#animate();
    }).observe(element('toy'));
    this.#run();
  }

  #run() {
    const chosen = element('toy-liars').valueAsNumber;
    const liars = element('toy-attack').checked ? chosen : 0;
    setText('toy-liars-text', `${chosen} of ${volunteers}`);
    this.#people.forEach((person, index) => person.classList.toggle('liar', index < liars));
    this.#answers = simulate({ liars, seed: this.#seed });
    this.#shown = matchMedia('(prefers-reduced-motion: reduce)').matches ? this.#answers.length : 0;
    this.#draw();
    this.#animate();
  }

  #animate() {
    if (this.#frame !== null) return;
    const step = () => {
      this.#frame = null;
      this.#shown = Math.min(this.#answers.length, this.#shown + ANSWERS_PER_FRAME);
      this.#draw();
      if (this.#seen && this.#shown < this.#answers.length) this.#frame = requestAnimationFrame(step);
    };
    this.#frame = requestAnimationFrame(step);
  }

  #draw() {
    const done = this.#answers.slice(0, this.#shown);
    const over = this.#shown === this.#answers.length;
    for (const way of ['averaging', 'signs']) {
      const places = [start, ...done.map((answer) => answer[way])];
      const trail = places.map((place) => onMap(place).join()).join(' ');
      element(`toy-${way}-trail`).setAttribute('points', trail);
      const [x, y] = onMap(places.at(-1));
      element(`toy-${way}-dot`).setAttribute('transform', `translate(${x} ${y})`);
      const left = remaining(places.at(-1));
      element(`toy-${way}`).dataset.remaining = over ? String(left) : '';
      setText(`toy-${way}-result`, over ? result(left) : '\u00a0');
    }
    const sender = over ? -1 : done.at(-1)?.sender;
    this.#people.forEach((person, index) => person.classList.toggle('sends', index === sender));
  }
}

/** Places beyond the edge are shown on it, in their direction. */
function onMap(place) {
  const inward = Math.min(1, EDGE / Math.max(...place.map(Math.abs)));
  return place.map((value) => (value * inward).toFixed(3));
}

function result(left) {
  if (left < 0.2) return `Arrived: ${formatCount(left * 100)} % of the way is left.`;
  if (left <= 1) return `Held back: ${formatCount(left * 100)} % of the way is left.`;
  const times = left > 1e6 ? 'more than a million' : left >= 10 ? formatCount(left) : left.toFixed(1);
  return `Thrown off: ${times} times as far as at the start.`;
}
