// @ts-check
// Values of curves as text. "–" stands for a missing value.

import { formatCount, formatDuration, formatPercent } from '../js/shared/format.js';

const small = new Intl.NumberFormat('en', { minimumFractionDigits: 3, maximumFractionDigits: 3 });
const large = new Intl.NumberFormat('en', { notation: 'scientific', maximumFractionDigits: 1 });
const NBSP = '\u00a0';

/**
 * Formats a Byzantine fraction: 0.3 -> "30 %".
 * @param {number} fraction
 */
export function formatFraction(fraction) {
  return `${Number((fraction * 100).toFixed(2))}${NBSP}%`;
}

/**
 * Formats the mean and standard deviation of a field over seeds: "88.6 ± 0.2 %".
 * @param {import('./statistics.js').Field} field
 * @param {import('./statistics.js').MeanStd | null} value
 * @param {number} seeds
 */
export function formatMeanStd(field, value, seeds) {
  if (value === null) return '–';
  const { mean, deviation } = value;
  if (field === 'updates') return formatCount(mean);
  if (field === 'seconds') return formatDuration(mean);
  if (seeds === 1) return field === 'accuracy' ? formatPercent(mean) : formatLoss(mean);
  if (field === 'loss') return `${formatLoss(mean)} ±${NBSP}${formatLoss(deviation)}`;
  return `${(mean * 100).toFixed(1)} ±${NBSP}${formatPercent(deviation)}`;
}

/** @param {number} loss */
function formatLoss(loss) {
  if (loss < 100) return small.format(loss);
  return loss < 1e6 ? formatCount(loss) : large.format(loss);
}
