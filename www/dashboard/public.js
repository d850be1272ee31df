// What everybody may know: the status, as tiles, cards and curves.

import { AccuracyChart, measuredPoints } from '../chart.js';
import { element, setList, setNumber, setText } from '../dom.js';
import { formatBytes, formatCount, formatCountOf, formatDuration, formatPercent, formatRate, formatReason } from '../format.js';
import { LineChart } from './line-chart.js';

const RATE_POINTS = 600; // ten minutes

export class PublicPart {
  #accuracy = new AccuracyChart(element('chart'), element('chart-readout'));
  #loss = new LineChart(element('loss-chart'), 'Accepted answers', 'Loss in nats');
  #rate = new LineChart(element('rate-chart'), 'Seconds', 'Answers per second');
  #rates = [];
  #beganAt = performance.now();

  show(status) {
    this.#showTiles(status);
    this.#showCards(status);
    const points = measuredPoints(status.held_out, status.run.uptime_s);
    this.#accuracy.show(points);
    this.#loss.show(points.filter((point) => Number.isFinite(point.loss)).map((point) => [point.accepted, point.loss]));
    this.#rates.push([(performance.now() - this.#beganAt) / 1000, status.contributions_per_s]);
    if (this.#rates.length > RATE_POINTS) this.#rates.shift();
    this.#rate.show(this.#rates);
  }

  #showTiles({ held_out: heldOut, contributions_per_s: rate, accepted, volunteers, run, data }) {
    setNumber('accuracy', heldOut.accuracy, formatPercent(heldOut.accuracy));
    setText('accuracy-note', `on ${formatCount(data.held_out_count)} images`);
    setNumber('loss', heldOut.loss, Number.isFinite(heldOut.loss) ? heldOut.loss.toFixed(3) : '–');
    setNumber('rate', rate, Number.isFinite(rate) ? formatRate(rate).replace(/\s*\/.*$/, '') : '–');
    const planned = Number.isFinite(run.progress) ? `, ${formatPercent(run.progress)} of the plan` : '';
    setText('accepted', `${formatCountOf(accepted, 'answer')}${planned}`);
    setNumber('connected', volunteers.connected, formatCount(volunteers.connected));
    setText('active', `${formatCount(volunteers.active)} answering`);
  }

  #showCards({ safety, run, checks, rejected, ended, model, data, traffic }) {
    setNumber('tolerated', safety?.tolerated_share, safety ? `up to ${formatPercent(safety.tolerated_share)}` : '–');
    setNumber('sign-error', safety?.sign_error, formatPercent(safety?.sign_error));
    setText('rule', `${formatReason(run.rule)}, ${run.order} order`);
    for (const name of ['passed', 'failed', 'skipped', 'recomputed']) {
      setNumber(`checks-${name}`, checks[name], formatCount(checks[name]));
    }
    setNumber('checks-busy', checks.busy_s, `${checks.busy_s.toFixed(1)}\u00a0s`);
    setText('checks-note', run.rule === 'verified' ? '\u00a0' : 'Answers are not checked under this rule.');
    setList('rejected', reasons(rejected));
    setList('ended', reasons(ended));
    setText(
      'facts',
      [
        `Model ${model.name}, ${formatCount(model.parameters)} parameters`,
        `Data ${data.name}`,
        `Run ${run.id}`,
        `Up for ${formatDuration(run.uptime_s)}`,
        `Received ${formatBytes(traffic.received_bytes)}, sent ${formatBytes(traffic.sent_bytes)}`,
      ].join(' · '),
    );
  }
}

function reasons(counts) {
  const some = Object.entries(counts).filter(([, count]) => count > 0);
  if (some.length === 0) return ['None so far.'];
  return some.map(([reason, count]) => `${formatReason(reason)}: ${formatCount(count)}`);
}
