// @ts-check
// The table of final values, and of the worst attack on each method.

import { createElement } from '../js/shared/dom.js';
import { formatPercent } from '../js/shared/format.js';
import { createSwatch } from './legend.js';
import { formatFraction, formatMeanStd } from './number-text.js';

/** @typedef {import('./run-collection.js').WorstCase} WorstCase */
/** @typedef {import('./statistics.js').FinalValues} FinalValues */
/**
 * `worst` has an entry for each Byzantine fraction.
 * @typedef {{ label: string, style: number, final: FinalValues | null, worst: (WorstCase | null)[] }} ResultRow
 */

/** @type {{ field: import('./statistics.js').Field, label: string }[]} */
const COLUMNS = [
  { field: 'accuracy', label: 'Accuracy' },
  { field: 'loss', label: 'Loss' },
  { field: 'updates', label: 'Updates' },
  { field: 'seconds', label: 'Time' },
];

/**
 * Fills the table.
 * @param {HTMLTableElement} table
 * @param {ResultRow[]} rows
 * @param {number[]} fractions
 */
export function showResults(table, rows, fractions) {
  const head = createElement('tr');
  const worst = fractions.map((fraction) => `Worst at ${formatFraction(fraction)}`);
  const labels = [...COLUMNS.map(({ label }) => label), 'Seeds', ...worst];
  head.append(createHead('Curve', 'col', ''), ...labels.map((label) => createHead(label, 'col', 'number')));
  table.tHead?.replaceChildren(head);
  table.tBodies[0].replaceChildren(...rows.map(createRow));
}

/** @param {ResultRow} result */
function createRow({ label, style, final, worst }) {
  const row = createElement('tr');
  const name = createHead('', 'row', '');
  name.append(createSwatch(style), createElement('span', 'label', label));
  const values = COLUMNS.map(({ field }) => (final === null ? '–' : formatMeanStd(field, final[field], final.seeds)));
  const cells = [...values, final === null ? '–' : String(final.seeds)];
  row.append(name, ...cells.map((text) => createElement('td', 'number', text)), ...worst.map(createWorstCell));
  return row;
}

/** @param {WorstCase | null} worst */
function createWorstCell(worst) {
  const cell = createElement('td', 'number', worst === null ? '–' : formatPercent(worst.accuracy));
  if (worst !== null) cell.append(createElement('span', 'attack', worst.attack));
  return cell;
}

/**
 * @param {string} text
 * @param {'col' | 'row'} scope
 * @param {string} className
 */
function createHead(text, scope, className) {
  const cell = createElement('th', className, text);
  cell.scope = scope;
  return cell;
}
