// What every chart shares: it fills its box, and its colours are those of the palette. uPlot comes as a classic script
// (vendor/uplot) and is found as a global.

import { formatCount } from './format.js';

export class Plot {
  #box;
  #colours = new Map();
  #font;
  #uplot = null;

  /** `box` is an element whose size is its own, whatever is drawn in it. */
  constructor(box) {
    this.#box = box;
    this.#font = `12px ${getComputedStyle(box).fontFamily}`;
    new ResizeObserver(() => this.#fit()).observe(box);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.#colours.clear();
      this.#uplot?.redraw(false, true);
    });
  }

  /** Whether anything can be drawn; false where uPlot was not loaded, and the numbers beside the chart have to do. */
  static get isPossible() {
    return typeof globalThis.uPlot === 'function';
  }

  /** Draws this instead of whatever there was: uPlot's options but for the size, and its columns. */
  draw(options, columns) {
    this.#uplot?.destroy();
    const { clientWidth: width, clientHeight: height } = this.#box;
    this.#uplot = new globalThis.uPlot({ width, height, legend: { show: false }, ...options }, columns, this.#box);
  }

  /** Draws other columns with the same options. */
  setData(columns) {
    this.#uplot.setData(columns);
  }

  /** A custom property of the palette: "chart-grid" -> "#ebe9e2". Asked for at each drawing, as the scheme may change. */
  colour(name) {
    if (!this.#colours.has(name)) {
      this.#colours.set(name, getComputedStyle(this.#box).getPropertyValue(`--${name}`).trim());
    }
    return this.#colours.get(name);
  }

  /** An axis without ticks, and with these options. */
  axis(options) {
    const stroke = () => this.colour('chart-muted');
    const text = { font: this.#font, labelFont: this.#font, labelSize: 18, labelGap: 0 };
    return { stroke, ...text, ticks: { show: false }, grid: { show: false }, ...options };
  }

  /** Lines across the chart at the splits of an axis. */
  grid() {
    return { stroke: () => this.colour('chart-grid'), width: 1 };
  }

  #fit() {
    const { clientWidth: width, clientHeight: height } = this.#box;
    if (width > 0 && height > 0) this.#uplot?.setSize({ width, height });
  }
}

/** A number at an axis: 12000 -> "12k". */
export function formatTick(tick) {
  return tick >= 10_000 ? `${formatCount(tick / 1000)}k` : formatCount(tick);
}
