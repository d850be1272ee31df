// The chart: a line for each curve, with a band around it where there are several seeds.

import { closest } from './average.js';
import { colourOf, dashOf } from './style.js';
import { formatTick, Plot } from '../plot.js';

const AXES = {
  messages: 'Messages, or accepted answers',
  seconds: 'Seconds',
  accuracy: 'Held-out accuracy (%)',
  loss: 'Held-out loss',
};
const WIDTH = 2.25;
const EMPTY_SPAN = 1000; // messages or seconds, while there is no curve
const MOST_ABOVE_START = 1.5; // losses that run away would flatten all others

export class Overlay {
  #plot = null;
  #onCursor;

  /** `onCursor` is told the x below the mouse or finger; null when there is none any more. */
  constructor(box, onCursor) {
    this.#onCursor = onCursor;
    if (Plot.isPossible) this.#plot = new Plot(box);
  }

  /**
   * Draws curves, each `{ style, xs, spreads }`, over each other. `x` and `y` name fields of points; `isLog` makes x
   * logarithmic from 1 on.
   */
  draw(curves, { x, y, isLog }) {
    if (this.#plot === null) return;
    const tables = curves.map(({ xs, spreads }) => [
      xs,
      spreads.map((spread) => spread && spread.mean + spread.deviation),
      spreads.map((spread) => spread && spread.mean - spread.deviation),
      spreads.map((spread) => spread && spread.mean),
    ]);
    const columns = tables.length > 0 ? globalThis.uPlot.join(tables) : [[], []];
    this.#plot.draw(this.#options(curves, x, y, isLog), columns);
  }

  #options(curves, x, y, isLog) {
    const series = curves.flatMap((curve) => this.#series(curve));
    const bands = curves.map(({ style }, index) => ({
      series: [1 + 3 * index, 2 + 3 * index],
      fill: () => `color-mix(in srgb, ${this.#plot.colour(colourOf(style))} 18%, transparent)`,
    }));
    return {
      padding: [10, 24, 0, 0],
      cursor: { y: false, points: { show: false }, drag: { x: true, y: true, uni: 24 } },
      scales: {
        // The inverse hyperbolic sine is as good as a logarithm, and has a place for 0.
        x: { time: false, distr: isLog ? 4 : 1, range: (_plot, least, most) => [least ?? 0, most ?? EMPTY_SPAN] },
        y: { range: (_plot, least, most) => rangeOf(y, curves, least, most) },
      },
      series: [{}, ...(series.length > 0 ? series : [{}])],
      bands,
      axes: [
        this.#plot.axis({
          label: AXES[x],
          size: 26,
          space: 80,
          values: (_plot, ticks) => ticks.map(formatTick),
          ...(isLog && { splits: (_plot, _axis, least, most) => powersOfTen(least, most) }),
        }),
        this.#plot.axis({
          label: AXES[y],
          size: 42,
          grid: this.#plot.grid(),
          values: (_plot, ticks) => ticks.map((tick) => formatValueTick(y, tick)),
        }),
      ],
      hooks: { setCursor: [({ cursor, posToVal }) => this.#tell(cursor, posToVal)] },
    };
  }

  #series({ style, xs }) {
    const edge = { stroke: 'transparent', width: 0, points: { show: false } };
    const stroke = () => this.#plot.colour(colourOf(style));
    const points = { show: xs.length === 1 }; // a line needs two
    return [edge, edge, { stroke, width: WIDTH, dash: dashOf(style), points }];
  }

  #tell({ left }, posToVal) {
    this.#onCursor(left === undefined || left < 0 ? null : posToVal(left, 'x'));
  }
}

/** What a curve has where it was measured closest to `at`, or at its end where `at` is null. */
export function spreadAt({ xs, spreads }, at) {
  return (at === null ? spreads.at(-1) : spreads[closest(xs, at)]) ?? null;
}

function rangeOf(y, curves, least, most) {
  if (least === null || most === null) return [0, 1];
  const margin = (most - least) * 0.03 || 0.01;
  if (y === 'accuracy') return [Math.max(0, least - margin), Math.min(1, most + margin)];
  const starts = curves.map(({ spreads }) => spreads[0]?.mean ?? 0);
  const top = MOST_ABOVE_START * Math.max(...starts);
  return [Math.max(0, least - margin), top > least ? Math.min(most + margin, top) : most + margin];
}

/** 0 and powers of ten, as far as they lie within a range. */
function powersOfTen(least, most) {
  const powers = [0];
  for (let power = 1; power <= most; power *= 10) powers.push(power);
  return powers.filter((power) => power >= least);
}

function formatValueTick(y, tick) {
  return y === 'accuracy' ? `${Number((tick * 100).toFixed(2))}` : `${Number(tick.toPrecision(4))}`;
}
