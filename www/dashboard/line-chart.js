// A small curve of numbers from 0 up. uPlot comes as a classic script and is found as a global.

import { formatCount } from '../format.js';

export class LineChart {
  #box;
  #what;
  #plot = null;
  #colours = {};

  /** what: the unit of the curve, for those who do not see it. */
  constructor(box, along, what) {
    this.#box = box;
    this.#what = what;
    if (typeof globalThis.uPlot !== 'function') return;
    this.#readColours();
    this.#plot = new globalThis.uPlot(this.#options(along), [[], []], box);
    new ResizeObserver(() => this.#fit()).observe(box);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.#readColours();
      this.#plot.redraw(false, true);
    });
  }

  /** Takes [x, y] pairs in order. */
  show(points) {
    this.#plot?.setData([points.map(([x]) => x), points.map(([, y]) => y)]);
    const last = points.at(-1);
    const text = last ? `${this.#what}: now ${format(last[1])}, ${points.length} points.` : `${this.#what}: nothing yet.`;
    this.#box.setAttribute('aria-label', text);
  }

  #fit() {
    const { clientWidth: width, clientHeight: height } = this.#box;
    if (width > 0 && height > 0) this.#plot.setSize({ width, height });
  }

  #readColours() {
    const style = getComputedStyle(this.#box);
    for (const name of ['accent', 'muted', 'grid', 'fill']) {
      this.#colours[name] = style.getPropertyValue(`--chart-${name}`).trim();
    }
    this.#colours.font = `12px ${style.fontFamily}`;
  }

  #options(along) {
    const colour = (name) => () => this.#colours[name];
    const axis = { stroke: colour('muted'), font: this.#colours.font, ticks: { show: false } };
    const values = (_plot, ticks) => ticks.map((tick) => (tick >= 10_000 ? `${formatCount(tick / 1000)}k` : format(tick)));
    return {
      width: this.#box.clientWidth,
      height: this.#box.clientHeight,
      legend: { show: false },
      padding: [8, 8, 0, 0],
      cursor: { show: false },
      scales: {
        x: { time: false, range: (_plot, min, max) => [min ?? 0, Math.max(max ?? 0, (min ?? 0) + 10)] },
        y: { range: (_plot, _min, max) => [0, Math.max((max ?? 0) * 1.05, 0.1)] },
      },
      series: [{}, { stroke: colour('accent'), width: 2, fill: colour('fill'), points: { show: false } }],
      axes: [
        { ...axis, label: along, labelFont: this.#colours.font, labelSize: 16, labelGap: 0, size: 24, space: 80, grid: { show: false }, values },
        { ...axis, size: 48, space: 28, grid: { stroke: colour('grid'), width: 1 }, values },
      ],
    };
  }
}

const format = (value) => (value >= 100 ? formatCount(value) : String(Number(value.toPrecision(3))));
