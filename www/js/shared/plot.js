// @ts-check
// The common part of every chart: a uPlot chart that fills its box and takes its colours from the style sheet.

import uPlot from '../../vendor/uplot/uPlot.esm.js';
import { formatCount } from './format.js';

/** @typedef {import('../../vendor/uplot/uPlot.esm.js').AlignedData} AlignedData */
/** @typedef {import('../../vendor/uplot/uPlot.esm.js').Axis} Axis */
/** @typedef {import('../../vendor/uplot/uPlot.esm.js').Series} Series */
/** @typedef {Omit<import('../../vendor/uplot/uPlot.esm.js').Options, 'width' | 'height'>} PlotOptions */

/** Joins tables of aligned columns by their first column. */
export const joinTables = uPlot.join;

/** A chart in an element whose size does not depend on its content. */
export class Plot {
  #box;
  #font;
  /** @type {Map<string, string>} */
  #colors = new Map();
  /** @type {uPlot | null} */
  #uplot = null;

  /** @param {HTMLElement} box */
  constructor(box) {
    this.#box = box;
    this.#font = `12px ${getComputedStyle(box).fontFamily}`;
    new ResizeObserver(() => this.#fit()).observe(box);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.#colors.clear();
      this.#uplot?.redraw(false, true);
    });
  }

  /**
   * Replaces the chart.
   * @param {PlotOptions} options
   * @param {AlignedData} columns
   */
  draw(options, columns) {
    this.#uplot?.destroy();
    const { clientWidth: width, clientHeight: height } = this.#box;
    this.#uplot = new uPlot({ width, height, legend: { show: false }, ...options }, columns, this.#box);
  }

  /**
   * Replaces the data and keeps the options.
   * @param {AlignedData} columns
   */
  setData(columns) {
    this.#uplot?.setData(columns);
  }

  /**
   * Returns a custom property of the style sheet: "chart-grid" -> "#ebe9e2". Charts call this at each drawing, because
   * the colour scheme can change.
   * @param {string} name
   */
  color(name) {
    let color = this.#colors.get(name);
    if (color === undefined) {
      color = getComputedStyle(this.#box).getPropertyValue(`--${name}`).trim();
      this.#colors.set(name, color);
    }
    return color;
  }

  /**
   * Returns an axis without ticks or grid, with these options.
   * @param {Axis} options
   * @returns {Axis}
   */
  axis(options) {
    return {
      stroke: () => this.color('chart-muted'),
      font: this.#font,
      labelFont: this.#font,
      labelSize: 18,
      labelGap: 0,
      ticks: { show: false },
      grid: { show: false },
      ...options,
    };
  }

  /** Returns grid lines across the chart. */
  grid() {
    return { stroke: () => this.color('chart-grid'), width: 1 };
  }

  #fit() {
    const { clientWidth: width, clientHeight: height } = this.#box;
    if (width > 0 && height > 0) this.#uplot?.setSize({ width, height });
  }
}

/**
 * Formats a number at an axis: 12000 -> "12k".
 * @param {number} tick
 */
export function formatTick(tick) {
  return tick >= 10_000 ? `${formatCount(tick / 1000)}k` : formatCount(tick);
}
