// @ts-check
// The part of the dashboard that needs no token: the status as tiles, cards and curves.

import { AccuracyChart, measuredPoints } from '../js/shared/accuracy-chart.js';
import { byId, setList, setNumber, setText } from '../js/shared/dom.js';
import {
  formatBytes,
  formatCount,
  formatCountOf,
  formatCounts,
  formatDuration,
  formatLabel,
  formatPercent,
  formatRateValue,
  isNumber,
} from '../js/shared/format.js';
import { LineChart } from './line-chart.js';

/** @typedef {import('../js/api/status-client.js').Status} Status */

const MAX_RATE_POINTS = 600; // ten minutes

const ui = {
  accuracy: byId('accuracy'),
  accuracyNote: byId('accuracy-note'),
  loss: byId('loss'),
  rate: byId('rate'),
  accepted: byId('accepted'),
  connected: byId('connected'),
  active: byId('active'),
  chart: byId('chart'),
  chartReadout: byId('chart-readout'),
  lossChart: byId('loss-chart'),
  rateChart: byId('rate-chart'),
  tolerated: byId('tolerated'),
  signError: byId('sign-error'),
  rule: byId('rule'),
  verification: {
    passed: byId('verification-passed'),
    failed: byId('verification-failed'),
    skipped: byId('verification-skipped'),
    recomputed: byId('verification-recomputed'),
  },
  verificationCpu: byId('verification-cpu'),
  verificationNote: byId('verification-note'),
  rejected: byId('rejected'),
  sessionsEnded: byId('sessions-ended'),
  facts: byId('facts'),
};
const VERIFICATION_COUNTERS = /** @type {(keyof typeof ui.verification)[]} */ (Object.keys(ui.verification));

/** The view of the public status. */
export class PublicView {
  #accuracyChart = new AccuracyChart(ui.chart, ui.chartReadout);
  #lossChart = new LineChart(ui.lossChart, 'Accepted updates', 'Loss in nats');
  #rateChart = new LineChart(ui.rateChart, 'Seconds', 'Updates per second');
  /** @type {{ x: number, y: number }[]} */
  #rates = [];
  #openedAt = performance.now();

  /** @param {Status} status */
  show(status) {
    showTiles(status);
    showTolerance(status);
    showVerification(status);
    setList(ui.rejected, formatCounts(status.rejected));
    setList(ui.sessionsEnded, formatCounts(status.sessions_ended));
    showFacts(status);
    this.#showCharts(status);
  }

  /** @param {Status} status */
  #showCharts(status) {
    const points = measuredPoints(status.held_out, status.run.uptime_s);
    this.#accuracyChart.show(points);
    this.#lossChart.show(points.flatMap(({ accepted: x, loss: y }) => (isNumber(y) ? [{ x, y }] : [])));
    this.#rates.push({ x: (performance.now() - this.#openedAt) / 1000, y: status.updates_per_s });
    if (this.#rates.length > MAX_RATE_POINTS) this.#rates.shift();
    this.#rateChart.show(this.#rates);
  }
}

/** @param {Status} status */
function showTiles({ held_out: heldOut, updates_per_s: rate, accepted, volunteers, run, data }) {
  setNumber(ui.accuracy, heldOut.accuracy, formatPercent(heldOut.accuracy));
  setText(ui.accuracyNote, `on ${formatCount(data.held_out_count)} images`);
  setNumber(ui.loss, heldOut.loss, isNumber(heldOut.loss) ? heldOut.loss.toFixed(3) : '–');
  setNumber(ui.rate, rate, formatRateValue(rate));
  const progress = isNumber(run.progress) ? `, ${formatPercent(run.progress)} of the plan` : '';
  setText(ui.accepted, `${formatCountOf(accepted, 'update')}${progress}`);
  setNumber(ui.connected, volunteers.connected, formatCount(volunteers.connected));
  setText(ui.active, `${formatCount(volunteers.active)} active`);
}

/** @param {Status} status */
function showTolerance({ tolerance, run }) {
  const tolerated = tolerance?.tolerated_fraction;
  setNumber(ui.tolerated, tolerated, tolerance ? `up to ${formatPercent(tolerated)}` : '–');
  setNumber(ui.signError, tolerance?.sign_error, formatPercent(tolerance?.sign_error));
  setText(ui.rule, `${formatLabel(run.rule)}, ${run.order} order`);
}

/** @param {Status} status */
function showVerification({ verification, run }) {
  for (const name of VERIFICATION_COUNTERS) {
    setNumber(ui.verification[name], verification[name], formatCount(verification[name]));
  }
  setNumber(ui.verificationCpu, verification.cpu_s, `${verification.cpu_s.toFixed(1)}\u00a0s`);
  setText(ui.verificationNote, run.rule === 'verified' ? '\u00a0' : 'This rule does not verify updates.');
}

/** @param {Status} status */
function showFacts({ model, data, run, traffic, egress }) {
  const facts = [
    `Model ${model.name}, ${formatCount(model.parameters)} parameters`,
    `Data ${data.name}`,
    `Run ${run.id}`,
    `Up for ${formatDuration(run.uptime_s)}`,
    `Received ${formatBytes(traffic.received_bytes)}, sent ${formatBytes(traffic.sent_bytes)}`,
    describeEgress(egress),
  ];
  setText(ui.facts, facts.join(' · '));
}

/**
 * Describes the bytes sent a second on all connections, and whether tasks wait for their limit.
 * @param {Status['egress']} egress
 */
function describeEgress({ bytes_per_s: rate, max_bytes_per_s: max, load }) {
  const sent = `Line down ${formatBytes(rate)}\u00a0/\u00a0s`;
  if (max === null) return sent;
  const limit = `${sent} of at most ${formatBytes(max)}\u00a0/\u00a0s`;
  return load > 1 ? `${limit}: tasks wait for this limit` : limit;
}
