// @ts-check
// The shared model: its accuracy, the progress of the run, the curve and the milestones.

import { AccuracyChart, MILESTONES, measuredPoints } from '../shared/accuracy-chart.js';
import { wordsFor } from '../shared/data-words.js';
import { byId, setNumber, setText, typedById } from '../shared/dom.js';
import { formatCount, formatCountOf, formatDuration, formatPercent, isNumber } from '../shared/format.js';

/** @typedef {import('../api/status-client.js').Status} Status */
/** @typedef {import('../shared/accuracy-chart.js').AccuracyPoint} AccuracyPoint */

const ui = {
  accuracy: byId('accuracy'),
  accuracyCaption: byId('accuracy-caption'),
  plan: byId('plan'),
  planLabel: byId('plan-label'),
  progress: typedById('progress', HTMLProgressElement),
  planText: byId('plan-text'),
  chart: byId('chart'),
  chartEmpty: byId('chart-empty'),
  chartReadout: byId('chart-readout'),
  milestones: byId('milestones'),
};

/** The panel of the shared model. */
export class ModelPanel {
  #chart = new AccuracyChart(ui.chart, ui.chartReadout);

  /** @param {Status} status */
  show(status) {
    const { held_out: heldOut, data, run, accepted } = status;
    const { noun, done } = wordsFor(status);
    setNumber(ui.accuracy, heldOut.accuracy, formatPercent(heldOut.accuracy));
    setText(ui.accuracyCaption, `of ${formatCount(data.held_out_count)} test ${noun} ${done} correctly`);
    this.#showPlan(run.progress, accepted);
    const points = measuredPoints(heldOut, run.uptime_s);
    this.#showMilestones(points);
    this.#chart.show(points);
  }

  /**
   * @param {number | null} progress
   * @param {number} accepted
   */
  #showPlan(progress, accepted) {
    const isPlanned = isNumber(progress);
    ui.plan.classList.toggle('open-ended', !isPlanned);
    ui.progress.value = isPlanned ? progress : 0;
    setText(ui.planLabel, isPlanned ? 'Training progress' : 'No planned end');
    setText(ui.planText, isPlanned ? `${formatPercent(progress)} done` : formatCountOf(accepted, 'update'));
  }

  /** @param {AccuracyPoint[]} points */
  #showMilestones(points) {
    ui.chartEmpty.hidden = points.length > 0;
    for (const milestone of MILESTONES) {
      const item = ui.milestones.querySelector(`[data-milestone="${milestone}"]`);
      const reached = points.find((point) => point.accuracy >= milestone);
      const texts = reached
        ? [`after ${formatDuration(reached.elapsed_s)}`, formatCountOf(reached.accepted, 'update')]
        : ['not yet', ''];
      item?.classList.toggle('reached', reached !== undefined);
      item?.querySelectorAll('span').forEach((span, index) => {
        setText(span, texts[index]);
      });
    }
  }
}
