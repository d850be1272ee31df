// The table of volunteers: one screenful, sorted and searched by the server.

import { element, make, setText } from '../dom.js';
import { formatCount, formatDuration, formatPercent, formatRate } from '../format.js';

const ROWS = 50;
const TRUSTED_AFTER = 6; // checks
const FIND_AFTER_MS = 300;

// Each column: key of the row and of the server's order, head, text of a row.
const COLUMNS = [
  ['id', 'Id', (row) => String(row.id)],
  ['accepted_per_s', 'Speed', (row) => formatRate(row.accepted_per_s), 'n'],
  ['accepted', 'Answers', (row) => formatCount(row.accepted), 'n'],
  ['silent_s', 'Silent for', (row) => (row.silent_s < 2 ? 'answering' : formatDuration(row.silent_s)), 'n'],
  ['staleness', 'Staleness', (row) => (row.staleness === null ? '–' : row.staleness.toFixed(1)), 'n'],
  ['agreement', 'Agreement', (row) => formatPercent(row.agreement), 'n'],
  ['weight_share', 'Weight', (row) => formatPercent(row.weight_share), 'n'],
  ['checks_passed', 'Checked', checked],
  ['effort_percent', 'Effort', (row) => `${row.effort_percent}\u00a0%`, 'n'],
  ['address', 'Address', (row) => row.address],
  ['agent', 'Program', (row) => row.agent, 'program'],
];

function checked({ checks_passed: passed }, isChecked) {
  if (!isChecked) return '–';
  return passed < TRUSTED_AFTER ? `${passed} of ${TRUSTED_AFTER}, on probation` : `${formatCount(passed)} passed`;
}

export class VolunteerTable {
  #onQuery;
  #rows = new Map(); // id -> { line, cells, row }
  #sort = 'id';
  #descending = false;
  #from = 0;
  #matching = 0;
  #busy = false; // the pointer or the keyboard is on a row
  #isChecked = true; // whether the rule has checks
  #body = element('table').tBodies[0];
  #timer = null;

  /** onQuery(URLSearchParams): what the server is to send from now on; onAct(what, row): a button of a row. */
  constructor(onQuery, onAct) {
    this.#onQuery = onQuery;
    this.#makeHead();
    this.#body.addEventListener('click', ({ target }) => {
      const button = target.closest('button');
      const entry = button && this.#rows.get(Number(button.closest('tr').dataset.id));
      if (entry) onAct(button.dataset.act, entry.row);
    });
    for (const [event, busy] of [['pointerenter', true], ['pointerleave', false], ['focusin', true], ['focusout', false]]) {
      this.#body.addEventListener(event, () => (this.#busy = busy));
    }
    element('find').addEventListener('input', () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#turnTo(0), FIND_AFTER_MS);
    });
    element('before').addEventListener('click', () => this.#turnTo(this.#from - ROWS));
    element('after').addEventListener('click', () => this.#turnTo(this.#from + ROWS));
  }

  /** Whether answers are checked under the run's rule. */
  setChecked(isChecked) {
    this.#isChecked = isChecked;
  }

  /** What the server is asked for. */
  query() {
    return new URLSearchParams({
      sort: this.#sort,
      descending: this.#descending,
      from: this.#from,
      rows: ROWS,
      find: element('find').value,
    });
  }

  /** Takes the volunteers of a view. */
  show({ all, matching, from, rows }) {
    this.#from = from;
    this.#matching = matching;
    setText('volunteers-note', matching === all ? formatCount(all) : `${formatCount(matching)} of ${formatCount(all)}`);
    const last = from + rows.length;
    setText('page', matching === 0 ? 'nobody' : `${formatCount(from + 1)} to ${formatCount(last)}`);
    element('before').disabled = from === 0;
    element('after').disabled = last >= matching;
    const known = new Map(rows.map((row) => [row.id, row]));
    if (!this.#busy) this.#place(rows);
    for (const [id, entry] of this.#rows) this.#write(entry, known.get(id));
  }

  #turnTo(from) {
    this.#from = Math.max(0, Math.min(from, this.#matching));
    this.#busy = false;
    this.#onQuery(this.query());
  }

  #makeHead() {
    const heads = COLUMNS.map(([key, label, , kind = '']) => {
      const head = make('th', kind);
      head.scope = 'col';
      const button = make('button', 'sort', label);
      button.type = 'button';
      button.addEventListener('click', () => {
        this.#descending = this.#sort === key ? !this.#descending : kind === 'n';
        this.#sort = key;
        this.#showOrder();
        this.#turnTo(0);
      });
      head.append(button);
      head.dataset.key = key;
      return head;
    });
    const last = make('th', 'acts');
    last.scope = 'col';
    last.append(make('span', '', 'Actions'));
    element('table').tHead.rows[0].append(...heads, last);
    this.#showOrder();
  }

  #showOrder() {
    for (const head of element('table').tHead.rows[0].cells) {
      const sorted = head.dataset.key === this.#sort;
      if (sorted) head.ariaSort = this.#descending ? 'descending' : 'ascending';
      else head.removeAttribute('aria-sort');
    }
  }

  /** Makes the lines be those of the rows, in their order; a line that stays is the same element. */
  #place(rows) {
    const wanted = new Set(rows.map((row) => row.id));
    for (const [id, { line }] of this.#rows) {
      if (wanted.has(id)) continue;
      line.remove();
      this.#rows.delete(id);
    }
    rows.forEach((row, index) => {
      if (!this.#rows.has(row.id)) this.#rows.set(row.id, makeLine(row));
      const { line } = this.#rows.get(row.id);
      if (this.#body.rows[index] !== line) this.#body.insertBefore(line, this.#body.rows[index] ?? null);
    });
  }

  #write(entry, row) {
    entry.line.classList.toggle('gone', row === undefined);
    if (row === undefined) return;
    entry.row = row;
    COLUMNS.forEach(([, , text], index) => {
      const value = text(row, this.#isChecked);
      if (entry.cells[index].textContent !== value) entry.cells[index].textContent = value;
    });
  }
}

function makeLine(row) {
  const line = make('tr');
  line.dataset.id = row.id;
  const cells = COLUMNS.map(([, , , kind = '']) => make('td', kind));
  const acts = make('td', 'acts');
  for (const [act, label] of [['effort', 'Slow'], ['kick', 'Remove'], ['ban', 'Ban']]) {
    const button = make('button', 'plain', label);
    button.type = 'button';
    button.dataset.act = act;
    button.setAttribute('aria-label', `${label} volunteer ${row.id}`);
    acts.append(button);
  }
  line.append(...cells, acts);
  return { line, cells, row };
}
