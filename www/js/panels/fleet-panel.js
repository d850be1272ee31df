// @ts-check
// The panel of everyone's contribution, with the effect of cheaters.

import { byId, setList, setNumber, setText } from '../shared/dom.js';
import {
  formatCount,
  formatCountOf,
  formatCounts,
  formatDuration,
  formatPercent,
  formatRate,
} from '../shared/format.js';

/** @typedef {import('../api/status-client.js').Status} Status */

const STALE_AFTER_MS = 4000;

const ui = {
  note: byId('fleet-note'),
  volunteers: byId('fleet-volunteers'),
  active: byId('fleet-active'),
  rate: byId('fleet-rate'),
  accepted: byId('fleet-accepted'),
  uptime: byId('fleet-uptime'),
  ejected: byId('fleet-ejected'),
  failed: byId('fleet-failed'),
  tolerated: byId('fleet-tolerated'),
  tolerance: byId('fleet-tolerance'),
  rejected: byId('fleet-rejected'),
  rejections: byId('fleet-rejections'),
};

/** @param {Status} status */
export function showFleet(status) {
  const { volunteers, updates_per_s: rate, accepted, rejected, run } = status;
  const noun = volunteers.connected === 1 ? 'volunteer' : 'volunteers';
  setNumber(ui.volunteers, volunteers.connected, formatCount(volunteers.connected));
  setText(ui.active, `${noun} now, ${formatCount(volunteers.active)} active`);
  setNumber(ui.rate, rate, formatRate(rate));
  setNumber(ui.accepted, accepted, formatCount(accepted));
  setNumber(ui.uptime, run.uptime_s, formatDuration(run.uptime_s));
  const rejectedTotal = Object.values(rejected).reduce((sum, count) => sum + count, 0);
  setNumber(ui.rejected, rejectedTotal, formatCount(rejectedTotal));
  setList(ui.rejections, formatCounts(rejected));
  showCheaters(status);
}

/** @param {Status} status */
function showCheaters({ run, verification, sessions_ended: ended, tolerance }) {
  const isVerified = run.rule === 'verified';
  const verified = verification.passed + verification.failed;
  const ejected = isVerified ? ended.failed_verification : null;
  const failedFraction = verified > 0 ? verification.failed / verified : null;
  setNumber(ui.ejected, ejected, formatCount(ejected));
  setNumber(ui.failed, failedFraction, formatPercent(failedFraction));
  const tolerated = tolerance?.tolerated_fraction;
  setNumber(ui.tolerated, tolerated, tolerance ? `up to ${formatPercent(tolerated)}` : '–');
  const counted = isVerified
    ? `${formatCountOf(verified, 'verification')} so far.`
    : 'This run does not verify updates.';
  const estimate = tolerance
    ? 'Tolerated cheaters: an estimate from how often volunteers agree.'
    : 'Tolerated cheaters: not known yet.';
  setText(ui.tolerance, `${counted} ${estimate}`);
}

/**
 * Marks the panel while its numbers are old.
 * @param {number | null} receivedAt
 * @param {number} now
 */
export function showFreshness(receivedAt, now) {
  const age = receivedAt === null ? 0 : now - receivedAt;
  const isStale = age > STALE_AFTER_MS && !document.hidden;
  setText(ui.note, isStale ? `from ${formatDuration(age / 1000)} ago` : '');
  document.documentElement.classList.toggle('stale', isStale);
}
