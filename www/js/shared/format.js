// @ts-check
// Pure functions that format numbers, bytes and durations. "–" stands for an unknown value.

const UNKNOWN = '–';
const NBSP = '\u00a0';

const integer = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const oneDecimal = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const threeDigits = new Intl.NumberFormat('en', { minimumSignificantDigits: 3, maximumSignificantDigits: 3 });

/** @typedef {number | null | undefined} MaybeNumber */

/**
 * @param {MaybeNumber} value
 * @returns {value is number}
 */
export const isNumber = (value) => typeof value === 'number' && Number.isFinite(value);

/**
 * Formats a count: 12345 -> "12,345".
 * @param {MaybeNumber} value
 */
export function formatCount(value) {
  return isNumber(value) ? integer.format(value) : UNKNOWN;
}

/**
 * Formats a count with its noun: (1, "update") -> "1 update", (2, "update") -> "2 updates".
 * @param {MaybeNumber} value
 * @param {string} singular
 */
export function formatCountOf(value, singular) {
  return `${formatCount(value)} ${value === 1 ? singular : `${singular}s`}`;
}

/**
 * Formats a fraction as a percentage: 0.8731 -> "87.3 %".
 * @param {MaybeNumber} fraction
 */
export function formatPercent(fraction) {
  return isNumber(fraction) ? `${oneDecimal.format(fraction * 100)}${NBSP}%` : UNKNOWN;
}

/**
 * Formats a rate without its unit: 4.256 -> "4.3", 120.5 -> "121".
 * @param {MaybeNumber} perSecond
 */
export function formatRateValue(perSecond) {
  if (!isNumber(perSecond)) return UNKNOWN;
  return perSecond < 99.95 ? oneDecimal.format(perSecond) : integer.format(perSecond);
}

/**
 * Formats a rate: 4.256 -> "4.3 / s".
 * @param {MaybeNumber} perSecond
 */
export function formatRate(perSecond) {
  return isNumber(perSecond) ? `${formatRateValue(perSecond)}${NBSP}/${NBSP}s` : UNKNOWN;
}

/**
 * Formats bytes in decimal units: 12722 -> "12.7 kB".
 * @param {MaybeNumber} bytes
 */
export function formatBytes(bytes) {
  if (!isNumber(bytes)) return UNKNOWN;
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const text = unit === 0 || value >= 99.95 ? integer.format(value) : oneDecimal.format(value);
  return `${text}${NBSP}${units[unit]}`;
}

/**
 * Formats milliseconds: 3.456 -> "3.46 ms".
 * @param {MaybeNumber} milliseconds
 */
export function formatMilliseconds(milliseconds) {
  if (!isNumber(milliseconds) || milliseconds <= 0) return UNKNOWN;
  const text = milliseconds >= 100 ? integer.format(milliseconds) : threeDigits.format(milliseconds);
  return `${text}${NBSP}ms`;
}

/**
 * Formats a duration with its two largest units: 75 -> "1 min 15 s", 93784 -> "1 d 2 h".
 * @param {MaybeNumber} seconds
 */
export function formatDuration(seconds) {
  if (!isNumber(seconds)) return UNKNOWN;
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [
    { amount: Math.floor(whole / 86400), unit: 'd' },
    { amount: Math.floor(whole / 3600) % 24, unit: 'h' },
    { amount: Math.floor(whole / 60) % 60, unit: 'min' },
    { amount: whole % 60, unit: 's' },
  ];
  const first = parts.findIndex(({ amount }) => amount > 0);
  if (first === -1) return `0${NBSP}s`;
  return parts
    .slice(first, first + 2)
    .filter(({ amount }, index) => index === 0 || amount > 0)
    .map(({ amount, unit }) => `${amount}${NBSP}${unit}`)
    .join(' ');
}

/**
 * Formats an identifier of the API: "unknown_task" -> "Unknown task".
 * @param {string} label
 */
export function formatLabel(label) {
  return capitalize(label.replaceAll('_', ' ').trim());
}

/**
 * Formats the positive counts of a table by label, one line each.
 * @param {Record<string, number>} counts
 */
export function formatCounts(counts) {
  const lines = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([label, count]) => `${formatLabel(label)}: ${formatCount(count)}`);
  return lines.length > 0 ? lines : ['None so far.'];
}

/**
 * Turns a reason into a whole sentence: "no route" -> "No route."
 * @param {string} text
 */
export function toSentence(text) {
  const trimmed = text.trim();
  if (trimmed === '') return '';
  const capitalized = capitalize(trimmed);
  return /[.!?…]$/.test(capitalized) ? capitalized : `${capitalized}.`;
}

/** @param {string} text */
export function capitalize(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
