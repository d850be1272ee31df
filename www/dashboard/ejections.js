// @ts-check
// The tables of recent ejections and of bans.

import { byId, createButton, createElement, setText } from '../js/shared/dom.js';
import { formatCount, formatLabel } from '../js/shared/format.js';

/**
 * @typedef {object} Ejection
 * @property {number} id
 * @property {string} address
 * @property {string | null} identity
 * @property {string} reason
 * @property {number} accepted
 * @property {number} verifications_passed
 * @property {number} at_s Seconds since the epoch.
 */

const IDENTITY_DIGITS = 16;

const ui = {
  ejections: byId('ejections'),
  ejectedNote: byId('ejected-note'),
  bans: byId('ban-list'),
  bansNote: byId('bans-note'),
};
let shownKey = '';

/**
 * @param {{ ejected: number, ejections: Ejection[], bans: number, ban_file_failing: boolean | null }} view The newest
 *   of all `ejected`.
 */
export function showEjections({ ejected, ejections, bans, ban_file_failing: isFailing }) {
  const shown = ejected > ejections.length ? `, the newest ${formatCount(ejections.length)} shown` : '';
  setText(ui.ejectedNote, ejected === 0 ? 'none' : `${formatCount(ejected)} since the server started${shown}`);
  setText(ui.bansNote, `${formatCount(bans)}${isFailing ? ', the newest are not in the ban file' : ''}`);
  const key = `${ejected} ${ejections[0]?.id}`;
  if (key === shownKey) return;
  shownKey = key;
  ui.ejections.replaceChildren(...ejections.map(createRow));
}

/** @param {Ejection} ejection */
function createRow({ id, address, identity, reason, accepted, verifications_passed: passed, at_s: seconds }) {
  const row = createElement('tr');
  row.append(
    createElement('td', '', new Date(seconds * 1000).toLocaleTimeString()),
    createElement('td', '', String(id)),
    createElement('td', '', formatLabel(reason)),
    createElement('td', 'number', formatCount(accepted)),
    createElement('td', 'number', formatCount(passed)),
    createElement('td', '', address),
    createElement('td', '', identity?.slice(0, IDENTITY_DIGITS) ?? '–'),
  );
  return row;
}

/**
 * Fills the list of bans.
 * @param {string[]} bans
 * @param {(ban: string) => void} onUnban
 */
export function showBans(bans, onUnban) {
  const rows = bans.map((ban) => {
    const row = createElement('li');
    const [kind, target] = ban.split(' ');
    const button = createButton('Remove', 'plain');
    button.setAttribute('aria-label', `Remove the ban of ${kind} ${target.slice(0, IDENTITY_DIGITS)}`);
    button.addEventListener('click', () => onUnban(ban));
    row.append(createElement('span', 'ban', `${formatLabel(kind)} ${target}`), button);
    return row;
  });
  ui.bans.replaceChildren(...(rows.length > 0 ? rows : [createElement('li', '', 'No bans.')]));
}
