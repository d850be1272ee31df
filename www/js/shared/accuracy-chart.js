// @ts-check
// The accuracy curve.

import { formatCountOf, formatDuration, formatPercent, isNumber } from './format.js';
import { formatTick, Plot } from './plot.js';

/** Accuracies that are marked on the curve. */
export const MILESTONES = [0.8, 0.9, 0.95];
const PERCENT_TICKS = [0, 0.2, 0.4, 0.6, 0.8, 1];
const MIN_SPAN = 10; // updates; keeps the axis sensible before the first measurement
const LAST_POINT_RADIUS_PIXELS = 4.5;

/** @typedef {import('../api/status-client.js').HeldOut} HeldOut */
/** @typedef {import('../../vendor/uplot/uPlot.esm.js')} UPlot */
/**
 * A measurement of the shared model on the held-out data.
 * @typedef {{ accepted: number, elapsed_s: number, accuracy: number, loss: number | null }} AccuracyPoint
 */

/** A chart of the accuracy over the accepted updates. */
export class AccuracyChart {
  #box;
  #readout;
  #plot;
  /** @type {AccuracyPoint[]} */
  #points = [];
  #shownKey = '';

  /**
   * @param {HTMLElement} box
   * @param {HTMLElement} readout Shows the point under the cursor.
   */
  constructor(box, readout) {
    this.#box = box;
    this.#readout = readout;
    this.#plot = new Plot(box);
    this.#plot.draw(this.#options(), [[], []]);
  }

  /**
   * Shows these points, and redraws only if they have changed.
   * @param {AccuracyPoint[]} points
   */
  show(points) {
    const last = points.at(-1);
    const key = `${points.length} ${points[0]?.accepted} ${last?.accepted} ${last?.accuracy}`;
    if (key === this.#shownKey) return;
    this.#shownKey = key;
    this.#points = points;
    this.#plot.setData([points.map((point) => point.accepted), points.map((point) => point.accuracy)]);
    this.#box.setAttribute('aria-label', summarize(points));
    this.#showReadout(null);
  }

  /** @returns {import('./plot.js').PlotOptions} */
  #options() {
    const plot = this.#plot;
    const accent = () => plot.color('chart-accent');
    const milestone = () => plot.color('chart-milestone');
    /** @param {number} tick */
    const percent = (tick) => `${Math.round(tick * 100)}`;
    return {
      padding: [8, 0, 0, 0],
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 9, fill: accent } },
      scales: {
        x: { time: false, range: (_plot, _min, max) => [0, Math.max(max ?? 0, MIN_SPAN)] },
        y: { range: [0, 1] },
      },
      series: [
        {},
        {
          stroke: accent,
          width: 2.5,
          fill: () => plot.color('chart-fill'),
          points: { show: false },
          spanGaps: true,
        },
      ],
      axes: [
        plot.axis({
          label: 'Accepted updates',
          size: 26,
          space: 80,
          values: (_plot, ticks) => ticks.map(formatTick),
        }),
        plot.axis({
          label: 'Accuracy (%)',
          size: 36,
          splits: () => PERCENT_TICKS,
          grid: plot.grid(),
          values: (_plot, ticks) => ticks.map(percent),
        }),
        plot.axis({
          scale: 'y',
          side: 1,
          size: 46,
          gap: 10,
          splits: () => MILESTONES,
          stroke: milestone,
          grid: { stroke: milestone, width: 1, dash: [2, 5] },
          values: (_plot, ticks) => ticks.map((tick) => `${percent(tick)} %`),
        }),
      ],
      hooks: {
        setCursor: [(drawn) => this.#showReadout(drawn.cursor.idx)],
        draw: [(drawn) => this.#drawLastPoint(drawn)],
      },
    };
  }

  /** @param {UPlot} plot */
  #drawLastPoint(plot) {
    const last = this.#points.at(-1);
    if (!last) return;
    const { ctx } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.arc(
      plot.valToPos(last.accepted, 'x', true),
      plot.valToPos(last.accuracy, 'y', true),
      LAST_POINT_RADIUS_PIXELS * devicePixelRatio,
      0,
      2 * Math.PI,
    );
    ctx.fillStyle = this.#plot.color('chart-accent');
    ctx.fill();
    ctx.restore();
  }

  /** @param {number | null | undefined} index Of the point under the cursor; the last point otherwise. */
  #showReadout(index) {
    const point = this.#points[index ?? this.#points.length - 1];
    const time = point && `${formatCountOf(point.accepted, 'update')}, ${formatDuration(point.elapsed_s)}`;
    const text = point ? `${formatPercent(point.accuracy)} after ${time}` : '';
    if (this.#readout.textContent !== text) this.#readout.textContent = text;
  }
}

/**
 * Returns the measured points of a status in order, the newest included.
 * @param {HeldOut} heldOut
 * @param {number} uptimeSeconds
 * @returns {AccuracyPoint[]}
 */
export function measuredPoints(heldOut, uptimeSeconds) {
  /** @type {AccuracyPoint[]} */
  const points = [];
  const { at_accepted: accepted, accuracy, loss } = heldOut;
  for (const point of [...heldOut.history, { accepted, elapsed_s: uptimeSeconds, accuracy, loss }]) {
    if (!isNumber(point.accuracy) || !isNumber(point.accepted)) continue;
    const last = points.at(-1);
    if (last && point.accepted <= last.accepted) continue;
    points.push({ ...point, accepted: point.accepted, accuracy: point.accuracy });
  }
  return points;
}

/** @param {AccuracyPoint[]} points */
function summarize(points) {
  const last = points.at(-1);
  if (!last) return 'Accuracy of the shared model: no measurement yet.';
  const from = formatPercent(points[0].accuracy);
  const to = formatPercent(last.accuracy);
  const count = formatCountOf(last.accepted, 'update');
  return `Accuracy of the shared model over accepted updates: from ${from} to ${to} after ${count}.`;
}
