// The table of what curves ended with, and of the worst that any attack did to each.

import { make } from '../dom.js';
import { formatPercent } from '../format.js';
import { swatch } from './legend.js';
import { formatShare, formatSpread } from './text.js';

const FIELDS = { accuracy: 'Accuracy', loss: 'Loss', messages: 'Messages', seconds: 'Time' };

/**
 * Fills a table. Rows are `{ label, style, final, worst }`, with `worst` an `{ attack, accuracy }`, or null, for each of the
 * shares of liars.
 */
export function showTable(table, rows, shares) {
  const heads = ['Curve', ...Object.values(FIELDS), 'Seeds', ...shares.map((share) => `Worst at ${formatShare(share)}`)];
  const head = make('tr');
  head.append(...heads.map((text, index) => cell('th', text, index === 0 ? '' : 'number', 'col')));
  table.tHead.replaceChildren(head);
  table.tBodies[0].replaceChildren(...rows.map(rowOf));
}

function rowOf({ label, style, final, worst }) {
  const row = make('tr');
  const name = cell('th', '', '', 'row');
  name.append(swatch(style), make('span', 'who', label));
  const fields = Object.keys(FIELDS).map((field) => {
    return cell('td', final === null ? '–' : formatSpread(field, final[field], final.seeds), 'number');
  });
  row.append(name, ...fields, cell('td', final === null ? '–' : `${final.seeds}`, 'number'), ...worst.map(worstCell));
  return row;
}

function worstCell(worst) {
  const made = cell('td', worst === null ? '–' : formatPercent(worst.accuracy), 'number');
  if (worst !== null) made.append(make('span', 'under', worst.attack));
  return made;
}

function cell(name, text, className, scope = null) {
  const made = make(name, className, text);
  if (scope !== null) made.scope = scope;
  return made;
}
