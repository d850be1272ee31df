// @ts-check
// A small chart of positive numbers.

import { formatCount } from '../js/shared/format.js';
import { formatTick, Plot } from '../js/shared/plot.js';

const MIN_X_SPAN = 10;
const MIN_Y_MAX = 0.1;

/** A chart of one curve. */
export class LineChart {
  #box;
  #name;
  #plot;

  /**
   * @param {HTMLElement} box
   * @param {string} xLabel
   * @param {string} name For the text alternative.
   */
  constructor(box, xLabel, name) {
    this.#box = box;
    this.#name = name;
    this.#plot = new Plot(box);
    this.#plot.draw(this.#options(xLabel), [[], []]);
  }

  /** @param {{ x: number, y: number }[]} points In the order of x. */
  show(points) {
    this.#plot.setData([points.map(({ x }) => x), points.map(({ y }) => y)]);
    const last = points.at(-1);
    const state = last ? `now ${format(last.y)}, ${points.length} points` : 'no measurement yet';
    this.#box.setAttribute('aria-label', `${this.#name}: ${state}.`);
  }

  /**
   * @param {string} xLabel
   * @returns {import('../js/shared/plot.js').PlotOptions}
   */
  #options(xLabel) {
    const plot = this.#plot;
    /**
     * @param {unknown} _plot
     * @param {number[]} ticks
     */
    const values = (_plot, ticks) => ticks.map((tick) => (tick >= 10_000 ? formatTick(tick) : format(tick)));
    return {
      padding: [8, 8, 0, 0],
      cursor: { show: false },
      scales: {
        x: { time: false, range: (_plot, min, max) => [min ?? 0, Math.max(max ?? 0, (min ?? 0) + MIN_X_SPAN)] },
        y: { range: (_plot, _min, max) => [0, Math.max((max ?? 0) * 1.05, MIN_Y_MAX)] },
      },
      series: [
        {},
        {
          stroke: () => plot.color('chart-accent'),
          width: 2,
          fill: () => plot.color('chart-fill'),
          points: { show: false },
        },
      ],
      axes: [
        plot.axis({ label: xLabel, labelSize: 16, size: 24, space: 80, values }),
        plot.axis({ size: 48, space: 28, grid: plot.grid(), values }),
      ],
    };
  }
}

/** @param {number} value */
const format = (value) => (value >= 100 ? formatCount(value) : String(Number(value.toPrecision(3))));
