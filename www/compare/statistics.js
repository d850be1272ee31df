// @ts-check
// Statistics over runs with different seeds. Pure functions on the points of runs.

/** @typedef {import('./csv.js').Run} Run */
/** @typedef {import('./csv.js').Point} Point */
/** @typedef {keyof Point} Field */
/** @typedef {{ mean: number, deviation: number }} MeanStd */
/** @typedef {{ seeds: number } & Record<Field, MeanStd | null>} FinalValues */
/** @typedef {{ xs: number[], values: (MeanStd | null)[] }} Curve */

/** @type {Field[]} */
const FIELDS = ['accuracy', 'loss', 'updates', 'seconds'];

/**
 * Returns the mean and the sample standard deviation (0 for one value); `null` if there are no values or one is `null`.
 * @param {(number | null)[]} values
 * @returns {MeanStd | null}
 */
export function meanStd(values) {
  const numbers = values.filter((value) => value !== null);
  if (numbers.length === 0 || numbers.length < values.length) return null;
  const mean = numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
  const squares = numbers.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: numbers.length > 1 ? Math.sqrt(squares / (numbers.length - 1)) : 0 };
}

/**
 * Returns the average curve of runs, with a value for each x at which any run was measured. Between two measurements a
 * run is interpolated linearly; after its last measurement it stays constant.
 * @param {Run[]} runs
 * @param {Field} x
 * @param {Field} y
 * @returns {Curve}
 */
export function averageCurve(runs, x, y) {
  const measured = runs.flatMap(({ points }) => points.map((point) => point[x]).filter((at) => at !== null));
  const xs = [...new Set(measured)].sort((a, b) => a - b);
  return { xs, values: xs.map((at) => meanStd(runs.map(({ points }) => valueAt(points, at, x, y)))) };
}

/**
 * Returns a run's value at an x; `null` before its first measurement and next to a measurement without a value.
 * @param {Point[]} points
 * @param {number} at
 * @param {Field} x
 * @param {Field} y
 */
function valueAt(points, at, x, y) {
  const next = firstAbove(points, at, x);
  if (next === 0) return null;
  const before = points[next - 1];
  const after = points[next];
  if (after === undefined || before[x] === at) return before[y];
  const [x0, y0, x1, y1] = [before[x], before[y], after[x], after[y]];
  if (x0 === null || y0 === null || x1 === null || y1 === null) return null;
  return y0 + ((y1 - y0) * (at - x0)) / (x1 - x0);
}

/**
 * Returns the index of the first point beyond `at`, or the number of points if there is none.
 * @param {Point[]} points
 * @param {number} at
 * @param {Field} x
 */
function firstAbove(points, at, x) {
  let low = 0;
  let high = points.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((points[middle][x] ?? Number.NaN) > at) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * Returns the index of the x closest to `at` among sorted values, or -1 if `at` is outside their range.
 * @param {number[]} xs
 * @param {number} at
 */
export function closestIndex(xs, at) {
  const last = xs.at(-1);
  if (last === undefined || at < xs[0] || at > last) return -1;
  const above = xs.findIndex((x) => x >= at);
  return above > 0 && at - xs[above - 1] < xs[above] - at ? above - 1 : above;
}

/**
 * Returns the last values of runs, or `null` if there are no runs.
 * @param {Run[]} runs
 * @returns {FinalValues | null}
 */
export function finalValues(runs) {
  if (runs.length === 0) return null;
  const entries = FIELDS.map((field) => [field, meanStd(runs.map(({ points }) => points.at(-1)?.[field] ?? null))]);
  return { seeds: runs.length, ...Object.fromEntries(entries) };
}
