// The accuracy curve. uPlot comes as a classic script (vendor/uplot) and is found as a global.

import { formatCount, formatCountOf, formatDuration, formatPercent } from './format.js';

export const MILESTONES = [0.8, 0.9, 0.95];
const PERCENT_TICKS = [0, 0.2, 0.4, 0.6, 0.8, 1];
const MIN_SPAN = 10; // answers; keeps the axis sensible before there is anything to show

export class AccuracyChart {
  #box;
  #readout;
  #plot = null;
  #colours = {};
  #points = [];
  #shown = '';

  constructor(box, readout) {
    this.#box = box;
    this.#readout = readout;
    if (typeof globalThis.uPlot !== 'function') return; // the numbers beside the chart say the same
    this.#readColours();
    this.#plot = new globalThis.uPlot(this.#options(), [[], []], box);
    new ResizeObserver(() => this.#fit()).observe(box);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.#readColours();
      this.#plot.redraw(false, true);
    });
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

  #fit() {
    const { clientWidth: width, clientHeight: height } = this.#box;
    if (width > 0 && height > 0) this.#plot.setSize({ width, height });
  }

  #readColours() {
    const style = getComputedStyle(this.#box);
    for (const name of ['accent', 'muted', 'grid', 'milestone', 'fill']) {
      this.#colours[name] = style.getPropertyValue(`--chart-${name}`).trim();
    }
    this.#colours.font = `12px ${style.fontFamily}`;
  }

  #options() {
    const colour = (name) => () => this.#colours[name];
    const axis = {
      stroke: colour('muted'),
      font: this.#colours.font,
      labelFont: this.#colours.font,
      labelSize: 18,
      labelGap: 0,
    };
    return {
      width: this.#box.clientWidth,
      height: this.#box.clientHeight,
      legend: { show: false },
      padding: [8, 0, 0, 0],
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 9, fill: colour('accent') } },
      scales: {
        x: { time: false, range: (_plot, _min, max) => [0, Math.max(max ?? 0, MIN_SPAN)] },
        y: { range: [0, 1] },
      },
      series: [
        {},
        { stroke: colour('accent'), width: 2.5, fill: colour('fill'), points: { show: false }, spanGaps: true },
      ],
      axes: [
        {
          ...axis,
          label: 'Accepted answers',
          size: 26,
          space: 80,
          grid: { show: false },
          ticks: { show: false },
          values: (_plot, ticks) => ticks.map(formatTick),
        },
        {
          ...axis,
          label: 'Held-out accuracy (%)',
          size: 36,
          splits: () => PERCENT_TICKS,
          grid: { stroke: colour('grid'), width: 1 },
          ticks: { show: false },
          values: (_plot, ticks) => ticks.map((tick) => `${Math.round(tick * 100)}`),
        },
        {
          ...axis,
          scale: 'y',
          side: 1,
          size: 46,
          gap: 10,
          splits: () => MILESTONES,
          stroke: colour('milestone'),
          grid: { stroke: colour('milestone'), width: 1, dash: [2, 5] },
          ticks: { show: false },
          values: (_plot, ticks) => ticks.map((tick) => `${Math.round(tick * 100)} %`),
        },
      ],
      hooks: {
        setCursor: [(plot) => this.#showReadout(plot.cursor.idx)],
        draw: [(plot) => this.#drawLastPoint(plot)],
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
    ctx.fillStyle = this.#colours.accent;
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

function formatTick(tick) {
  return tick >= 10_000 ? `${formatCount(tick / 1000)}k` : formatCount(tick);
}
