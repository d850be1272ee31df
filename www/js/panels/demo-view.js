// @ts-check
// The view of the demo: two maps on which the model moves to its target, by averaged numbers and by signs.

import { byId, createElement, setText, typedById } from '../shared/dom.js';
import { formatCount } from '../shared/format.js';
import { remainingFraction, START, simulate, VOLUNTEERS } from './sign-demo.js';

/** @typedef {import('./sign-demo.js').Point} Point */

const UPDATES_PER_FRAME = 2;
const MAP_EDGE = 3.6; // the map shows -4 to 4
const ARRIVED_BELOW = 0.2;

const ui = {
  panel: byId('demo'),
  attack: typedById('demo-attack', HTMLInputElement),
  cheaters: typedById('demo-cheaters', HTMLInputElement),
  cheatersText: byId('demo-cheaters-text'),
  restart: byId('demo-restart'),
  people: byId('demo-people'),
  maps: { averaging: map('averaging'), signs: map('signs') },
};
const WAYS = /** @type {('averaging' | 'signs')[]} */ (['averaging', 'signs']);

/** @param {string} way */
function map(way) {
  return {
    figure: byId(`demo-${way}`),
    trail: typedById(`demo-${way}-trail`, SVGPolylineElement),
    dot: typedById(`demo-${way}-dot`, SVGCircleElement),
    result: byId(`demo-${way}-result`),
  };
}

/** The animated demo. */
export class DemoView {
  #people;
  /** @type {import('./sign-demo.js').Step[]} */
  #steps = [];
  #shownSteps = 0;
  /** @type {number | null} */
  #frame = null;
  #seed = 1;
  #isVisible = false;

  constructor() {
    this.#people = Array.from({ length: VOLUNTEERS }, () => createElement('span', 'person'));
    ui.people.replaceChildren(...this.#people);
    ui.attack.addEventListener('change', () => this.#run());
    ui.cheaters.addEventListener('input', () => {
      ui.attack.checked = true;
      this.#run();
    });
    ui.restart.addEventListener('click', () => {
      this.#seed += 1;
      this.#run();
    });
    new IntersectionObserver(([entry]) => {
      this.#isVisible = entry.isIntersecting;
      if (this.#isVisible) this.#animate();
    }).observe(ui.panel);
    this.#run();
  }

  #run() {
    const chosen = ui.cheaters.valueAsNumber;
    const cheaters = ui.attack.checked ? chosen : 0;
    setText(ui.cheatersText, `${chosen} of ${VOLUNTEERS}`);
    this.#people.forEach((person, index) => {
      person.classList.toggle('cheater', index < cheaters);
    });
    this.#steps = simulate({ cheaters, seed: this.#seed });
    this.#shownSteps = matchMedia('(prefers-reduced-motion: reduce)').matches ? this.#steps.length : 0;
    this.#draw();
    this.#animate();
  }

  #animate() {
    if (this.#frame !== null) return;
    const onFrame = () => {
      this.#frame = null;
      this.#shownSteps = Math.min(this.#steps.length, this.#shownSteps + UPDATES_PER_FRAME);
      this.#draw();
      if (this.#isVisible && this.#shownSteps < this.#steps.length) this.#frame = requestAnimationFrame(onFrame);
    };
    this.#frame = requestAnimationFrame(onFrame);
  }

  #draw() {
    const shown = this.#steps.slice(0, this.#shownSteps);
    const isComplete = this.#shownSteps === this.#steps.length;
    for (const way of WAYS) {
      const { figure, trail, dot, result } = ui.maps[way];
      const last = shown.at(-1)?.[way] ?? START;
      const points = [START, ...shown.map((step) => step[way])];
      trail.setAttribute('points', points.map((point) => onMap(point).join()).join(' '));
      dot.setAttribute('transform', `translate(${onMap(last).join(' ')})`);
      const remaining = remainingFraction(last);
      figure.dataset.remaining = isComplete ? String(remaining) : '';
      setText(result, isComplete ? describe(remaining) : '\u00a0');
    }
    const sender = isComplete ? -1 : shown.at(-1)?.sender;
    this.#people.forEach((person, index) => {
      person.classList.toggle('sending', index === sender);
    });
  }
}

/**
 * Returns map coordinates. Points beyond the edge are moved onto it, in their direction.
 * @param {Point} point
 */
function onMap(point) {
  const scale = Math.min(1, MAP_EDGE / Math.max(...point.map(Math.abs)));
  return point.map((value) => (value * scale).toFixed(3));
}

/** @param {number} remaining */
function describe(remaining) {
  if (remaining < ARRIVED_BELOW) return `Arrived: ${formatCount(remaining * 100)} % of the distance is left.`;
  if (remaining <= 1) return `Held back: ${formatCount(remaining * 100)} % of the distance is left.`;
  const times = remaining >= 10 ? formatCount(remaining) : remaining.toFixed(1);
  return `Thrown off: ${remaining > 1e6 ? 'more than a million' : times} times farther away than at the start.`;
}
