// The accuracy curve.

import { formatCountOf, formatDuration, formatPercent } from './format.js';
import { formatTick, Plot } from './plot.js';

export const MILESTONES = [0.8, 0.9, 0.95];
const PERCENT_TICKS = [0, 0.2, 0.4, 0.6, 0.8, 1];
const MIN_SPAN = 10; // answers; keeps the axis sensible before there is anything to show

export class AccuracyChart {
  #box;
  #readout;
  #plot = null;
  #points = [];
  #shown = '';

  constructor(box, readout) {
    this.#box = box;
    this.#readout = readout;
    if (!Plot.isPossible) return; // the numbers beside the chart say the same
    this.#plot = new Plot(box);
    this.#plot.draw(this.#options(), [[], []]);
  }

  /** Takes the held-out measurements of the status; draws only when they have changed. */
  show(points) {
    const last = points.at(-1);
    const key = `${points.length} ${points[0]?.accepted} ${last?.accepted} ${last?.accuracy}`;
    if (key === this.#shown) return;
    this.#shown = key;
    this.#points = points;
    this.#plot?.setData([points.map((point) => point.accepted), points.map((point) => point.accuracy)]);
    this.#box.setAttribute('aria-label', summary(points));
    this.#showReadout(null);
  }

  #options() {
    const plot = this.#plot;
    const accent = () => plot.colour('chart-accent');
    const milestone = () => plot.colour('chart-milestone');
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
          fill: () => plot.colour('chart-fill'),
          points: { show: false },
          spanGaps: true,
        },
      ],
      axes: [
        plot.axis({
          label: 'Accepted answers',
          size: 26,
          space: 80,
          values: (_plot, ticks) => ticks.map(formatTick),
        }),
        plot.axis({
          label: 'Held-out accuracy (%)',
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

  #drawLastPoint(plot) {
    const last = this.#points.at(-1);
    if (!last) return;
    const { ctx } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.arc(
      plot.valToPos(last.accepted, 'x', true),
      plot.valToPos(last.accuracy, 'y', true),
      4.5 * devicePixelRatio,
      0,
      2 * Math.PI,
    );
    ctx.fillStyle = this.#plot.colour('chart-accent');
    ctx.fill();
    ctx.restore();
  }

  #showReadout(index) {
    const point = this.#points[index ?? this.#points.length - 1];
    const when = point && `${formatCountOf(point.accepted, 'answer')}, ${formatDuration(point.elapsed_s)}`;
    const text = point ? `${formatPercent(point.accuracy)} after ${when}` : '';
    if (this.#readout.textContent !== text) this.#readout.textContent = text;
  }
}

/** The measured points of a status: with a value, in order, the newest included. */
export function measuredPoints(heldOut, uptimeSeconds) {
  const points = [];
  const newest = { accepted: heldOut.at_accepted, elapsed_s: uptimeSeconds, accuracy: heldOut.accuracy };
  for (const point of [...heldOut.history, newest]) {
    const after = points.length === 0 || point.accepted > points.at(-1).accepted;
    if (Number.isFinite(point.accuracy) && Number.isFinite(point.accepted) && after) points.push(point);
  }
  return points;
}

function summary(points) {
  const last = points.at(-1);
  if (!last) return 'Accuracy of the shared model: no measurement yet.';
  const from = formatPercent(points[0].accuracy);
  const to = formatPercent(last.accuracy);
  const after = formatCountOf(last.accepted, 'answer');
  return `Accuracy of the shared model against accepted answers: from ${from} to ${to} after ${after}.`;
}
