// A small curve of numbers from 0 up.

import { formatCount } from '../format.js';
import { formatTick, Plot } from '../plot.js';

export class LineChart {
  #box;
  #what;
  #plot = null;

  /** along: what the axis counts; what: the unit of the curve, for those who do not see it. */
  constructor(box, along, what) {
    this.#box = box;
    this.#what = what;
    if (!Plot.isPossible) return; // the numbers beside the chart say the same
    this.#plot = new Plot(box);
    this.#plot.draw(this.#options(along), [[], []]);
  }

  /** Takes [x, y] pairs in order. */
  show(points) {
    this.#plot?.setData([points.map(([x]) => x), points.map(([, y]) => y)]);
    const last = points.at(-1);
    const text = last ? `${this.#what}: now ${format(last[1])}, ${points.length} points.` : `${this.#what}: nothing yet.`;
    this.#box.setAttribute('aria-label', text);
  }

  #options(along) {
    const plot = this.#plot;
    const values = (_plot, ticks) => ticks.map((tick) => (tick >= 10_000 ? formatTick(tick) : format(tick)));
    return {
      padding: [8, 8, 0, 0],
      cursor: { show: false },
      scales: {
        x: { time: false, range: (_plot, min, max) => [min ?? 0, Math.max(max ?? 0, (min ?? 0) + 10)] },
        y: { range: (_plot, _min, max) => [0, Math.max((max ?? 0) * 1.05, 0.1)] },
      },
      series: [
        {},
        {
          stroke: () => plot.colour('chart-accent'),
          width: 2,
          fill: () => plot.colour('chart-fill'),
          points: { show: false },
        },
      ],
      axes: [
        plot.axis({ label: along, labelSize: 16, size: 24, space: 80, values }),
        plot.axis({ size: 48, space: 28, grid: plot.grid(), values }),
      ],
    };
  }
}

const format = (value) => (value >= 100 ? formatCount(value) : String(Number(value.toPrecision(3))));
