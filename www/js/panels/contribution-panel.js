// @ts-check
// The panel of this visitor's contribution.

import { byId, setNumber, setText } from '../shared/dom.js';
import {
  formatBytes,
  formatCount,
  formatCountOf,
  formatMilliseconds,
  formatPercent,
  formatRate,
} from '../shared/format.js';

const BYTES_PER_PARAMETER = 4; // a full gradient travels as f32

const ui = {
  accepted: byId('own-accepted'),
  fraction: byId('own-fraction'),
  rate: byId('own-rate'),
  cores: byId('own-cores'),
  compute: byId('own-compute'),
  rejected: byId('own-rejected'),
  dataRate: byId('own-data-rate'),
  received: byId('own-received'),
  sent: byId('own-sent'),
  gradients: byId('own-gradients'),
  savingBar: byId('own-saving-bar'),
  saving: byId('own-saving'),
  allVisits: byId('own-all-visits'),
};

/**
 * `since` has the updates of this visitor and of all volunteers since this visit began; `null` stands for unknown.
 * @typedef {object} Contribution
 * @property {import('./contribution-stats.js').Totals} totals
 * @property {import('./contribution-stats.js').Rates | null} rates
 * @property {{ everyone: number, own: number } | null} since
 * @property {number} allVisits
 * @property {number | null} parameters
 */

/** @param {Contribution} contribution */
export function showContribution({ totals, rates, since, allVisits, parameters }) {
  const gradientBytes = parameters === null ? null : totals.accepted * BYTES_PER_PARAMETER * parameters;
  const fraction = since && since.everyone > 0 && since.own > 0 ? Math.min(1, since.own / since.everyone) : null;
  setNumber(ui.accepted, totals.accepted, formatCount(totals.accepted));
  setNumber(ui.rejected, totals.rejected, formatCount(totals.rejected));
  setNumber(ui.fraction, fraction, formatPercent(fraction));
  setNumber(ui.rate, rates?.accepted, formatRate(rates?.accepted));
  setNumber(ui.compute, totals.compute_ms, formatMilliseconds(totals.compute_ms));
  setNumber(ui.cores, rates?.cores, rates ? `${formatPercent(rates.cores)} of a core` : '–');
  setNumber(ui.dataRate, rates?.bytes, rates ? `${formatBytes(rates.bytes)}\u00a0/\u00a0s` : '–');
  setNumber(ui.received, totals.bytes_received, formatBytes(totals.bytes_received));
  setNumber(ui.sent, totals.bytes_sent, formatBytes(totals.bytes_sent));
  setNumber(ui.gradients, gradientBytes, formatBytes(gradientBytes));
  const ratio = gradientBytes ? totals.bytes_sent / gradientBytes : 0;
  ui.savingBar.style.width = `${Math.min(100, ratio * 100)}%`;
  setText(
    ui.saving,
    ratio > 0 && ratio < 1
      ? `${formatCount(1 / ratio)} times fewer bytes sent than with full gradients.`
      : 'One bit per parameter instead of full gradients.',
  );
  setText(
    ui.allVisits,
    allVisits > totals.accepted ? `With earlier visits: ${formatCountOf(allVisits, 'update')}.` : '\u00a0',
  );
}
