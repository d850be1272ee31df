// The legend: a switch for each curve, with its line and its value below the cursor.

import { make } from '../dom.js';
import { spreadAt } from './overlay.js';
import { colourOf, dashOf } from './style.js';
import { formatSpread } from './text.js';

const SVG = 'http://www.w3.org/2000/svg';

export class Legend {
  #list;
  #onToggle;
  #rows = [];

  /** `onToggle` is told the key of a curve and whether it is to be shown. */
  constructor(list, onToggle) {
    this.#list = list;
    this.#onToggle = onToggle;
  }

  /** Shows these curves, and keeps the focus where it was. */
  show(curves) {
    const focused = this.#list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    this.#rows = curves.map((curve) => this.#row(curve));
    this.#list.replaceChildren(...this.#rows.map(({ item }) => item));
    this.#rows.find(({ box }) => box.dataset.key === focused)?.box.focus();
  }

  /** Writes what curves have at an x; at null, what they ended with. */
  showValues(y, at) {
    for (const { curve, value } of this.#rows) {
      const text = curve.seeds === 0 ? 'no such run' : formatSpread(y, spreadAt(curve, at), curve.seeds);
      if (value.textContent !== text) value.textContent = text;
    }
  }

  #row(curve) {
    const item = make('li');
    const label = make('label', 'key');
    const box = make('input');
    Object.assign(box, { type: 'checkbox', checked: curve.shown });
    box.dataset.key = curve.key;
    box.addEventListener('change', () => this.#onToggle(curve.key, box.checked));
    const value = make('span', 'value');
    label.append(box, swatch(curve.style), make('span', 'who', curve.label), value);
    item.append(label);
    return { curve, item, box, value };
  }
}

/** A piece of a curve's line. */
export function swatch(style) {
  const svg = document.createElementNS(SVG, 'svg');
  const line = document.createElementNS(SVG, 'line');
  // Where it is narrow, it shows less of the line and not a thinner one.
  const frame = { viewBox: '0 0 36 8', preserveAspectRatio: 'xMinYMid slice', width: 36, height: 8, 'aria-hidden': true };
  const stroke = { x1: 1, x2: 35, y1: 4, y2: 4, 'stroke-dasharray': dashOf(style) };
  for (const [name, value] of Object.entries(frame)) svg.setAttribute(name, value);
  for (const [name, value] of Object.entries(stroke)) line.setAttribute(name, value);
  line.style.stroke = `var(--${colourOf(style)})`;
  svg.append(line);
  svg.classList.add('swatch');
  return svg;
}
