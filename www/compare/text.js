// Values of curves in words. "–" stands for "not there".

import { formatCount, formatDuration, formatPercent } from '../format.js';

const small = new Intl.NumberFormat('en', { minimumFractionDigits: 3, maximumFractionDigits: 3 });
const large = new Intl.NumberFormat('en', { notation: 'scientific', maximumFractionDigits: 1 });
const NBSP = '\u00a0';

/** A share of liars: 0.3 -> "30 %". */
export function formatShare(share) {
  return `${Number((share * 100).toFixed(2))}${NBSP}%`;
}

/** A spread of a field over seeds: "88.6 ± 0.2 %". */
export function formatSpread(field, spread, seeds) {
  if (spread === null) return '–';
  const { mean, deviation } = spread;
  if (field === 'messages') return formatCount(mean);
  if (field === 'seconds') return formatDuration(mean);
  if (seeds === 1) return field === 'accuracy' ? formatPercent(mean) : formatLoss(mean);
  if (field === 'loss') return `${formatLoss(mean)} ±${NBSP}${formatLoss(deviation)}`;
  return `${(mean * 100).toFixed(1)} ±${NBSP}${formatPercent(deviation)}`;
}

function formatLoss(value) {
  if (value < 100) return small.format(value);
  return value < 1e6 ? formatCount(value) : large.format(value);
}
