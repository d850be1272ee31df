// @ts-check
// The table of connected volunteers: one page of it, sorted and searched by the server.

import { byId, createButton, createElement, setText, typedById } from '../js/shared/dom.js';
import { formatCount, formatDuration, formatPercent, formatRate } from '../js/shared/format.js';

/**
 * @typedef {object} Volunteer
 * @property {number} id
 * @property {string} address
 * @property {string | null} identity
 * @property {string} agent
 * @property {number} accepted
 * @property {number} accepted_per_s
 * @property {number} idle_s
 * @property {number} weight_fraction
 * @property {number | null} staleness
 * @property {number | null} agreement
 * @property {number} verifications_passed
 * @property {number} effort_percent
 */
/** @typedef {{ all: number, matching: number, from: number, rows: Volunteer[] }} VolunteerPage */
/** @typedef {'effort' | 'eject' | 'ban'} Action */
/** @typedef {{ line: HTMLTableRowElement, cells: HTMLTableCellElement[], volunteer: Volunteer }} Row */

/**
 * `key` names a field of a volunteer and the server's order.
 * @typedef {object} Column
 * @property {keyof Volunteer} key
 * @property {string} label
 * @property {(volunteer: Volunteer, isVerified: boolean) => string} format
 * @property {string} [className]
 */

const PAGE_SIZE = 50;
const PROBATION_VERIFICATIONS = 6;
const IDLE_AFTER_S = 2;
const SEARCH_DELAY_MS = 300;

/** @type {Column[]} */
const COLUMNS = [
  { key: 'id', label: 'ID', format: ({ id }) => String(id) },
  { key: 'accepted_per_s', label: 'Rate', format: (row) => formatRate(row.accepted_per_s), className: 'number' },
  { key: 'accepted', label: 'Updates', format: ({ accepted }) => formatCount(accepted), className: 'number' },
  { key: 'idle_s', label: 'Idle for', format: ({ idle_s }) => formatIdle(idle_s), className: 'number' },
  { key: 'staleness', label: 'Staleness', format: (row) => row.staleness?.toFixed(1) ?? '–', className: 'number' },
  { key: 'agreement', label: 'Agreement', format: (row) => formatPercent(row.agreement), className: 'number' },
  { key: 'weight_fraction', label: 'Weight', format: (row) => formatPercent(row.weight_fraction), className: 'number' },
  { key: 'verifications_passed', label: 'Verification', format: formatVerification },
  { key: 'effort_percent', label: 'Effort', format: (row) => `${row.effort_percent}\u00a0%`, className: 'number' },
  { key: 'address', label: 'Address', format: ({ address }) => address },
  { key: 'agent', label: 'Program', format: ({ agent }) => agent, className: 'program' },
];
/** @type {{ action: Action, label: string }[]} */
const ACTIONS = [
  { action: 'effort', label: 'Slow' },
  { action: 'eject', label: 'Eject' },
  { action: 'ban', label: 'Ban' },
];

/** @param {number} seconds */
function formatIdle(seconds) {
  return seconds < IDLE_AFTER_S ? 'active' : formatDuration(seconds);
}

/**
 * @param {Volunteer} volunteer
 * @param {boolean} isVerified
 */
function formatVerification({ verifications_passed: passed }, isVerified) {
  if (!isVerified) return '–';
  return passed < PROBATION_VERIFICATIONS
    ? `${passed} of ${PROBATION_VERIFICATIONS}, on probation`
    : `${formatCount(passed)} passed`;
}

const ui = {
  note: byId('volunteers-note'),
  find: typedById('find', HTMLInputElement),
  previous: typedById('previous-page', HTMLButtonElement),
  next: typedById('next-page', HTMLButtonElement),
  range: byId('page-range'),
  table: typedById('volunteer-table', HTMLTableElement),
};
const head = ui.table.rows[0];
const body = ui.table.tBodies[0];

/** The table with its search field, pager and sort buttons. */
export class VolunteerTable {
  #onQuery;
  /** @type {Map<number, Row>} */
  #rows = new Map();
  /** @type {keyof Volunteer} */
  #sortKey = 'id';
  #isDescending = false;
  #from = 0;
  #matching = 0;
  #isBusy = false; // while the pointer or the keyboard focus is on a row
  #isVerified = true;
  /** @type {number | undefined} */
  #timer;

  /**
   * @param {(query: URLSearchParams) => void} onQuery Receives the part of the list to request.
   * @param {(action: Action, volunteer: Volunteer) => void} onAction
   */
  constructor(onQuery, onAction) {
    this.#onQuery = onQuery;
    this.#createHead();
    body.addEventListener('click', ({ target }) => {
      const button = target instanceof Element ? target.closest('button') : null;
      const row = this.#rows.get(Number(button?.closest('tr')?.dataset.id));
      if (row) onAction(/** @type {Action} */ (button?.dataset.action), row.volunteer);
    });
    this.#setBusyOn('pointerenter', true);
    this.#setBusyOn('pointerleave', false);
    this.#setBusyOn('focusin', true);
    this.#setBusyOn('focusout', false);
    ui.find.addEventListener('input', () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#goTo(0), SEARCH_DELAY_MS);
    });
    ui.previous.addEventListener('click', () => this.#goTo(this.#from - PAGE_SIZE));
    ui.next.addEventListener('click', () => this.#goTo(this.#from + PAGE_SIZE));
  }

  /** @param {boolean} isVerified Whether the run's rule verifies updates. */
  setVerified(isVerified) {
    this.#isVerified = isVerified;
  }

  /** Returns the part of the list to request. */
  query() {
    return new URLSearchParams({
      sort: this.#sortKey,
      descending: String(this.#isDescending),
      from: String(this.#from),
      rows: String(PAGE_SIZE),
      find: ui.find.value,
    });
  }

  /** @param {VolunteerPage} page */
  show({ all, matching, from, rows }) {
    this.#from = from;
    this.#matching = matching;
    setText(ui.note, matching === all ? formatCount(all) : `${formatCount(matching)} of ${formatCount(all)}`);
    const last = from + rows.length;
    setText(ui.range, matching === 0 ? 'none' : `${formatCount(from + 1)} to ${formatCount(last)}`);
    ui.previous.disabled = from === 0;
    ui.next.disabled = last >= matching;
    const volunteers = new Map(rows.map((volunteer) => [volunteer.id, volunteer]));
    if (!this.#isBusy) this.#placeRows(rows);
    for (const [id, row] of this.#rows) this.#writeRow(row, volunteers.get(id));
  }

  /**
   * @param {string} event
   * @param {boolean} isBusy
   */
  #setBusyOn(event, isBusy) {
    body.addEventListener(event, () => {
      this.#isBusy = isBusy;
    });
  }

  /** @param {number} from */
  #goTo(from) {
    this.#from = Math.max(0, Math.min(from, this.#matching));
    this.#isBusy = false;
    this.#onQuery(this.query());
  }

  #createHead() {
    const cells = COLUMNS.map(({ key, label, className = '' }) => {
      const cell = createElement('th', className);
      cell.scope = 'col';
      cell.dataset.key = key;
      const button = createButton(label, 'sort');
      button.addEventListener('click', () => {
        this.#isDescending = this.#sortKey === key ? !this.#isDescending : className === 'number';
        this.#sortKey = key;
        this.#showOrder();
        this.#goTo(0);
      });
      cell.append(button);
      return cell;
    });
    const actions = createElement('th', 'actions');
    actions.scope = 'col';
    actions.append(createElement('span', '', 'Actions'));
    head.append(...cells, actions);
    this.#showOrder();
  }

  #showOrder() {
    for (const cell of head.cells) {
      const isSorted = cell.dataset.key === this.#sortKey;
      if (isSorted) cell.ariaSort = this.#isDescending ? 'descending' : 'ascending';
      else cell.removeAttribute('aria-sort');
    }
  }

  /**
   * Creates, removes and orders rows. A volunteer that stays keeps its row.
   * @param {Volunteer[]} volunteers
   */
  #placeRows(volunteers) {
    const ids = new Set(volunteers.map(({ id }) => id));
    for (const [id, { line }] of this.#rows) {
      if (ids.has(id)) continue;
      line.remove();
      this.#rows.delete(id);
    }
    volunteers.forEach((volunteer, index) => {
      const row = this.#rows.get(volunteer.id) ?? createRow(volunteer);
      this.#rows.set(volunteer.id, row);
      if (body.rows[index] !== row.line) body.insertBefore(row.line, body.rows[index] ?? null);
    });
  }

  /**
   * @param {Row} row
   * @param {Volunteer | undefined} volunteer `undefined` if the volunteer has left.
   */
  #writeRow(row, volunteer) {
    row.line.classList.toggle('left', volunteer === undefined);
    if (volunteer === undefined) return;
    row.volunteer = volunteer;
    COLUMNS.forEach(({ format }, index) => {
      setText(row.cells[index], format(volunteer, this.#isVerified));
    });
  }
}

/**
 * @param {Volunteer} volunteer
 * @returns {Row}
 */
function createRow(volunteer) {
  const line = createElement('tr');
  line.dataset.id = String(volunteer.id);
  const cells = COLUMNS.map(({ className }) => createElement('td', className));
  const actions = createElement('td', 'actions');
  for (const { action, label } of ACTIONS) {
    const button = createButton(label, 'plain');
    button.dataset.action = action;
    button.setAttribute('aria-label', `${label} volunteer ${volunteer.id}`);
    actions.append(button);
  }
  line.append(...cells, actions);
  return { line, cells, volunteer };
}
