// @ts-check
// The chart of all curves: a line for each curve, with a band around it if there are several seeds.

import { formatTick, joinTables, Plot } from '../js/shared/plot.js';
import { curveColor, curveDash } from './curve-style.js';
import { closestIndex } from './statistics.js';

/** @typedef {import('./statistics.js').Field} Field */
/** @typedef {import('./statistics.js').Curve} Curve */
/** @typedef {import('./run-collection.js').CurveInfo & Curve & { seeds: number }} DrawnCurve */
/** @typedef {{ x: Field, y: Field, isLog: boolean }} Axes `isLog` makes x logarithmic from 1 on. */

/** @type {Record<Field, string>} */
const AXIS_LABELS = {
  updates: 'Updates',
  seconds: 'Seconds',
  accuracy: 'Held-out accuracy (%)',
  loss: 'Held-out loss',
};
const LINE_WIDTH = 2.25;
const EMPTY_SPAN = 1000; // updates or seconds, while there is no curve
const MAX_LOSS_FACTOR = 1.5; // of the first losses; a diverging loss would flatten all other curves
const ASINH_SCALE = 4; // uPlot's inverse hyperbolic sine: close to a logarithm, and defined at 0
const LINEAR_SCALE = 1;

/** The chart of all curves. */
export class RunChart {
  #plot;
  #onCursor;

  /**
   * @param {HTMLElement} box
   * @param {(x: number | null) => void} onCursor Called with the x under the cursor, or `null`.
   */
  constructor(box, onCursor) {
    this.#onCursor = onCursor;
    this.#plot = new Plot(box);
  }

  /**
   * Draws these curves.
   * @param {DrawnCurve[]} curves
   * @param {Axes} axes
   */
  draw(curves, axes) {
    const tables = curves.map(({ xs, values }) => {
      return /** @type {import('../js/shared/plot.js').AlignedData} */ ([
        xs,
        values.map((value) => value && value.mean + value.deviation),
        values.map((value) => value && value.mean - value.deviation),
        values.map((value) => value?.mean ?? null),
      ]);
    });
    this.#plot.draw(this.#options(curves, axes), tables.length > 0 ? joinTables(tables) : [[], []]);
  }

  /**
   * @param {DrawnCurve[]} curves
   * @param {Axes} axes
   * @returns {import('../js/shared/plot.js').PlotOptions}
   */
  #options(curves, { x, y, isLog }) {
    const plot = this.#plot;
    const series = curves.flatMap((curve) => this.#series(curve));
    return {
      padding: [10, 24, 0, 0],
      cursor: { y: false, points: { show: false }, drag: { x: true, y: true, uni: 24 } },
      scales: {
        x: {
          time: false,
          distr: isLog ? ASINH_SCALE : LINEAR_SCALE,
          range: (_plot, min, max) => [min ?? 0, max ?? EMPTY_SPAN],
        },
        y: { range: (_plot, min, max) => yRange(y, curves, min, max) },
      },
      series: [{}, ...(series.length > 0 ? series : [{}])],
      bands: curves.map(({ style }, index) => ({
        series: [1 + 3 * index, 2 + 3 * index],
        fill: () => `color-mix(in srgb, ${plot.color(curveColor(style))} 18%, transparent)`,
      })),
      axes: [
        plot.axis({
          label: AXIS_LABELS[x],
          size: 26,
          space: 80,
          values: (_plot, ticks) => ticks.map(formatTick),
          ...(isLog && { splits: (_plot, _axis, min, max) => powersOfTen(min, max) }),
        }),
        plot.axis({
          label: AXIS_LABELS[y],
          size: 42,
          grid: plot.grid(),
          values: (_plot, ticks) => ticks.map((tick) => formatValueTick(y, tick)),
        }),
      ],
      hooks: {
        setCursor: [
          (drawn) => {
            const left = drawn.cursor.left ?? -1;
            this.#onCursor(left < 0 ? null : drawn.posToVal(left, 'x'));
          },
        ],
      },
    };
  }

  /**
   * Returns the two edges of the band, and the line.
   * @param {DrawnCurve} curve
   * @returns {import('../js/shared/plot.js').Series[]}
   */
  #series({ style, xs }) {
    const edge = { stroke: 'transparent', width: 0, points: { show: false } };
    const stroke = () => this.#plot.color(curveColor(style));
    const points = { show: xs.length === 1 }; // a line needs two points
    return [edge, edge, { stroke, width: LINE_WIDTH, dash: curveDash(style), points }];
  }
}

/**
 * Returns a curve's value closest to an x; its final value if `at` is `null`.
 * @param {Curve} curve
 * @param {number | null} at
 */
export function valueNear({ xs, values }, at) {
  return (at === null ? values.at(-1) : values[closestIndex(xs, at)]) ?? null;
}

/**
 * @param {Field} y
 * @param {DrawnCurve[]} curves
 * @param {number | null} min
 * @param {number | null} max
 * @returns {[number, number]}
 */
function yRange(y, curves, min, max) {
  if (min === null || max === null) return [0, 1];
  const margin = (max - min) * 0.03 || 0.01;
  if (y === 'accuracy') return [Math.max(0, min - margin), Math.min(1, max + margin)];
  const starts = curves.map(({ values }) => values[0]?.mean ?? 0);
  const top = MAX_LOSS_FACTOR * Math.max(...starts);
  return [Math.max(0, min - margin), top > min ? Math.min(max + margin, top) : max + margin];
}

/**
 * Returns 0 and the powers of ten within a range.
 * @param {number} min
 * @param {number} max
 */
function powersOfTen(min, max) {
  const powers = [0];
  for (let power = 1; power <= max; power *= 10) powers.push(power);
  return powers.filter((power) => power >= min);
}

/**
 * @param {Field} y
 * @param {number} tick
 */
function formatValueTick(y, tick) {
  return y === 'accuracy' ? `${Number((tick * 100).toFixed(2))}` : `${Number(tick.toPrecision(4))}`;
}
