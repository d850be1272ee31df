// @ts-check
// The legend: a switch for each curve, with its line and its value under the cursor.

import { createElement } from '../js/shared/dom.js';
import { curveColor, curveDash } from './curve-style.js';
import { formatMeanStd } from './number-text.js';
import { valueNear } from './run-chart.js';

/** @typedef {import('./run-chart.js').DrawnCurve} DrawnCurve */
/** @typedef {{ curve: DrawnCurve, item: HTMLElement, box: HTMLInputElement, value: HTMLElement }} LegendRow */

const SVG_NAMESPACE = 'http://www.w3.org/2000/svg';

/** The legend of the chart. */
export class Legend {
  #list;
  #onToggle;
  /** @type {LegendRow[]} */
  #rows = [];

  /**
   * @param {HTMLElement} list
   * @param {(key: string, shown: boolean) => void} onToggle
   */
  constructor(list, onToggle) {
    this.#list = list;
    this.#onToggle = onToggle;
  }

  /**
   * Shows these curves, and keeps the keyboard focus.
   * @param {DrawnCurve[]} curves
   */
  show(curves) {
    const focused = this.#rows.find(({ box }) => box === document.activeElement)?.curve.key;
    this.#rows = curves.map((curve) => this.#createRow(curve));
    this.#list.replaceChildren(...this.#rows.map(({ item }) => item));
    this.#rows.find(({ curve }) => curve.key === focused)?.box.focus();
  }

  /**
   * Shows the values of all curves at an x; `null` shows the final values.
   * @param {import('./statistics.js').Field} y
   * @param {number | null} at
   */
  showValues(y, at) {
    for (const { curve, value } of this.#rows) {
      const text = curve.seeds === 0 ? 'no such run' : formatMeanStd(y, valueNear(curve, at), curve.seeds);
      if (value.textContent !== text) value.textContent = text;
    }
  }

  /** @param {DrawnCurve} curve */
  #createRow(curve) {
    const item = createElement('li');
    const label = createElement('label', 'key');
    const box = createElement('input');
    Object.assign(box, { type: 'checkbox', checked: curve.shown });
    box.addEventListener('change', () => this.#onToggle(curve.key, box.checked));
    const value = createElement('span', 'value');
    label.append(box, createSwatch(curve.style), createElement('span', 'label', curve.label), value);
    item.append(label);
    return { curve, item, box, value };
  }
}

/**
 * Creates a sample of a curve's line.
 * @param {number} style
 */
export function createSwatch(style) {
  const svg = document.createElementNS(SVG_NAMESPACE, 'svg');
  const line = document.createElementNS(SVG_NAMESPACE, 'line');
  // A narrow swatch shows a shorter line instead of a thinner one.
  const frame = {
    viewBox: '0 0 36 8',
    preserveAspectRatio: 'xMinYMid slice',
    width: 36,
    height: 8,
    'aria-hidden': true,
  };
  const stroke = { x1: 1, x2: 35, y1: 4, y2: 4, 'stroke-dasharray': curveDash(style) };
  for (const [name, value] of Object.entries(frame)) svg.setAttribute(name, String(value));
  for (const [name, value] of Object.entries(stroke)) line.setAttribute(name, String(value));
  line.style.stroke = `var(--${curveColor(style)})`;
  svg.append(line);
  svg.classList.add('swatch');
  return svg;
}
