// What several runs with other seeds come to together. Pure functions on the points of runs.

/**
 * Mean and standard deviation (with one less than their number below the line; 0 for one) of numbers; null where one of
 * them is.
 */
export function spreadOf(values) {
  if (values.length === 0 || values.includes(null)) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0 };
}

/**
 * The curve of runs: `{ xs, spreads }`, a spread for each x at which any of them was measured. `x` and `y` name fields of
 * points. Between its measurements a run is taken to lie on a straight line, and it stays where it ended.
 */
export function averageCurve(runs, x, y) {
  const xs = [...new Set(runs.flatMap(({ points }) => points.map((point) => point[x])))].sort((a, b) => a - b);
  return { xs, spreads: xs.map((at) => spreadOf(runs.map(({ points }) => valueAt(points, at, x, y)))) };
}

/** What a run had at an x: null before it began, and beside a measurement without a value. */
function valueAt(points, at, x, y) {
  const next = firstAbove(points, at, x);
  if (next === 0) return null;
  const [before, after] = [points[next - 1], points[next]];
  if (after === undefined || before[x] === at) return before[y];
  if (before[y] === null || after[y] === null) return null;
  return before[y] + ((after[y] - before[y]) * (at - before[x])) / (after[x] - before[x]);
}

/** Index of the first point beyond `at`; the number of points where there is none. */
function firstAbove(points, at, x) {
  let [low, high] = [0, points.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle][x] > at) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Index of the x closest to `at` among sorted ones; -1 where there is none, or it is beyond both ends. */
export function closest(xs, at) {
  if (xs.length === 0 || at < xs[0] || at > xs.at(-1)) return -1;
  const above = xs.findIndex((x) => x >= at);
  return above > 0 && at - xs[above - 1] < xs[above] - at ? above - 1 : above;
}

/** What runs ended with, as spreads: `{ seeds, accuracy, loss, messages, seconds }`; null where there are no runs. */
export function finalOf(runs) {
  if (runs.length === 0) return null;
  const spread = (field) => spreadOf(runs.map(({ points }) => points.at(-1)[field]));
  return {
    seeds: runs.length,
    accuracy: spread('accuracy'),
    loss: spread('loss'),
    messages: spread('messages'),
    seconds: spread('seconds'),
  };
}
