// Numbers, bytes and durations as text. Pure functions; "–" stands for "not known yet".

const UNKNOWN = '–';
const NBSP = '\u00a0';

const integer = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const oneDigit = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const threeFigures = new Intl.NumberFormat('en', { minimumSignificantDigits: 3, maximumSignificantDigits: 3 });

const isNumber = (value) => typeof value === 'number' && Number.isFinite(value);

/** 12345 -> "12,345". */
export function formatCount(value) {
  return isNumber(value) ? integer.format(value) : UNKNOWN;
}

/** formatCount with its noun: (1, "answer") -> "1 answer", (2, "answer") -> "2 answers". */
export function formatCountOf(value, singular, plural = `${singular}s`) {
  return `${formatCount(value)} ${value === 1 ? singular : plural}`;
}

/** A share from 0 to 1: 0.8731 -> "87.3 %". */
export function formatPercent(share) {
  return isNumber(share) ? `${oneDigit.format(share * 100)}${NBSP}%` : UNKNOWN;
}

/** 4.256 -> "4.3 / s", 120.5 -> "121 / s". */
export function formatRate(perSecond) {
  if (!isNumber(perSecond)) return UNKNOWN;
  const text = perSecond < 99.95 ? oneDigit.format(perSecond) : integer.format(perSecond);
  return `${text}${NBSP}/${NBSP}s`;
}

/** Decimal units: 12722 -> "12.7 kB". */
export function formatBytes(bytes) {
  if (!isNumber(bytes)) return UNKNOWN;
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const text = unit === 0 || value >= 99.95 ? integer.format(value) : oneDigit.format(value);
  return `${text}${NBSP}${units[unit]}`;
}

/** 3.456 -> "3.46 ms". */
export function formatMilliseconds(milliseconds) {
  if (!isNumber(milliseconds) || milliseconds <= 0) return UNKNOWN;
  const text = milliseconds >= 100 ? integer.format(milliseconds) : threeFigures.format(milliseconds);
  return `${text}${NBSP}ms`;
}

/** The two largest units: 75 -> "1 min 15 s", 93784 -> "1 d 2 h". */
export function formatDuration(seconds) {
  if (!isNumber(seconds)) return UNKNOWN;
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [
    [Math.floor(whole / 86400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's'],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  if (first === -1) return `0${NBSP}s`;
  return parts
    .slice(first, first + 2)
    .filter(([amount], index) => index === 0 || amount > 0)
    .map(([amount, unit]) => `${amount}${NBSP}${unit}`)
    .join(' ');
}

/** "unknown_task" -> "Unknown task". */
export function formatReason(key) {
  const words = key.replaceAll('_', ' ').trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A reason from elsewhere as a whole sentence: "no route" -> "No route." */
export function asSentence(text) {
  const trimmed = text.trim();
  if (trimmed === '') return '';
  const capitalised = trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?…]$/.test(capitalised) ? capitalised : `${capitalised}.`;
}
