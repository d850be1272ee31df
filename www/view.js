// Writes facts into the page.

import { MILESTONES } from './chart.js';
import { element, setList, setNumber, setText } from './dom.js';
import {
  formatBytes,
  formatCount,
  formatCountOf,
  formatDuration,
  formatMilliseconds,
  formatPercent,
  formatRate,
  formatReason,
} from './format.js';
import { showHash } from './wasm-hash.js';

const BYTES_PER_PARAMETER = 4; // a full gradient travels as f32
const STALE_AFTER_MS = 4000;

/** The status line and the buttons, as status-line.js describes them. */
export function showStatusLine({ state, headline, detail, countdown, buttons }) {
  element('status').dataset.state = state;
  document.documentElement.dataset.state = state;
  setText('status-headline', headline);
  setText('status-detail', detail);
  setText('status-countdown', countdown);
  setText('start-label', state === 'paused' ? 'Resume' : 'Start');
  showButtons(buttons);
}

function showButtons(buttons) {
  const names = Object.keys(buttons);
  const losesFocus = names.some((name) => element(name) === document.activeElement && !buttons[name]);
  for (const name of names) element(name).disabled = !buttons[name];
  // A disabled button drops the keyboard focus to the top of the page; hand it to a neighbour instead.
  const next = names.find((name) => buttons[name]) ?? 'status';
  if (losesFocus) element(next).focus();
}

/** A field for the join token, on servers that ask for one. */
export function showTokenField(required) {
  element('token-row').hidden = !required;
}

/** What was written into it, if anything. */
export function joinToken() {
  return element('token').value || undefined;
}

/** What it costs to help, before and while it runs. */
export function showCost({ effort, cores }, status) {
  const used = `${formatCount(effort * 100)}\u00a0% of ${cores === 1 ? 'one core' : `${cores} cores`}`;
  const parameters = status?.model.parameters;
  const [up, down] = [formatBytes(parameters / 8), formatBytes(parameters * BYTES_PER_PARAMETER)];
  const data = parameters ? `: each answer sends up to ${up} and brings up to ${down}` : '';
  setText('cost-text', `Nothing runs before Start. Then it costs ${used} and data${data}.`);
}

/**
 * This visitor's counters. totals, rates and ever: as OwnShare gives them; since: what this visitor and the whole fleet
 * have contributed to this run in this visit; parameters: of the model. null stands for "not known yet".
 */
export function showOwnShare({ totals, rates, since, ever, parameters }) {
  const fullBytes = parameters === null ? null : totals.accepted * BYTES_PER_PARAMETER * parameters;
  const part = since?.fleet > 0 && since.own > 0 ? Math.min(1, since.own / since.fleet) : null;
  setNumber('own-accepted', totals.accepted, formatCount(totals.accepted));
  setNumber('own-rejected', totals.rejected, formatCount(totals.rejected));
  setNumber('own-part', part, formatPercent(part));
  setNumber('own-rate', rates?.accepted, formatRate(rates?.accepted));
  setNumber('own-compute', totals.compute_ms, formatMilliseconds(totals.compute_ms));
  setNumber('own-cores', rates?.cores, rates ? `${formatPercent(rates.cores)} of a core` : '–');
  setNumber('own-data-rate', rates?.bytes, rates ? `${formatBytes(rates.bytes)}\u00a0/\u00a0s` : '–');
  setNumber('own-received', totals.bytes_received, formatBytes(totals.bytes_received));
  setNumber('own-bytes', totals.bytes_sent, formatBytes(totals.bytes_sent));
  setNumber('own-full-bytes', fullBytes, formatBytes(fullBytes));
  const share = fullBytes > 0 ? totals.bytes_sent / fullBytes : 0;
  element('own-saving-bar').style.width = `${Math.min(100, share * 100)}%`;
  setText(
    'own-saving',
    share > 0 && share < 1 ? `${formatCount(1 / share)} times fewer bytes sent.` : 'Signs instead of full gradients.',
  );
  setText('own-ever', ever > totals.accepted ? `With earlier visits: ${formatCountOf(ever, 'answer')}.` : '\u00a0');
}

/** Everything the server says about the run. */
export function showRun(status) {
  showAccuracy(status.held_out, status.data);
  showPlan(status.run.progress, status.accepted);
  showFleet(status);
  showLiars(status);
  const zeroth = status.run.order === 'zeroth';
  setText('what-is-sent', zeroth ? 'one sign bit per direction it tried' : 'one sign bit per parameter');
  setText('facts', facts(status));
}

function showAccuracy(heldOut, data) {
  setNumber('accuracy', heldOut.accuracy, formatPercent(heldOut.accuracy));
  setText('accuracy-caption', `of ${formatCount(data.held_out_count)} held-out digits read correctly`);
}

function showPlan(progress, accepted) {
  const planned = Number.isFinite(progress);
  const plan = element('plan');
  plan.parentElement.classList.toggle('open-ended', !planned);
  plan.value = planned ? progress : 0;
  setText('plan-label', planned ? 'Planned answers' : 'Open-ended');
  setText('plan-text', planned ? `${formatPercent(progress)} done` : formatCountOf(accepted, 'answer'));
}

function showFleet({ volunteers, contributions_per_s: rate, accepted, rejected, run }) {
  setNumber('fleet-volunteers', volunteers.connected, formatCount(volunteers.connected));
  setText(
    'fleet-active',
    `${volunteers.connected === 1 ? 'volunteer' : 'volunteers'} now, ${formatCount(volunteers.active)} answering`,
  );
  setNumber('fleet-rate', rate, formatRate(rate));
  setNumber('fleet-accepted', accepted, formatCount(accepted));
  setNumber('fleet-uptime', run.uptime_s, formatDuration(run.uptime_s));
  const reasons = Object.entries(rejected).filter(([, count]) => count > 0);
  const total = reasons.reduce((sum, [, count]) => sum + count, 0);
  setNumber('fleet-rejected', total, formatCount(total));
  setList(
    'fleet-rejections',
    reasons.length === 0
      ? ['None so far.']
      : reasons.map(([reason, count]) => `${formatReason(reason)}: ${formatCount(count)}`),
  );
}

function showLiars({ run, checks, ended, safety }) {
  const verified = run.rule === 'verified';
  const checked = checks.passed + checks.failed;
  const removed = verified ? ended.wrong_answer : null;
  const lies = checked > 0 ? checks.failed / checked : null;
  setNumber('fleet-removed', removed, formatCount(removed));
  setNumber('fleet-lies', lies, formatPercent(lies));
  const tolerated = safety?.tolerated_share;
  setNumber('fleet-tolerated', tolerated, safety ? `up to ${formatPercent(tolerated)}` : '–');
  setText('fleet-safety', safetyText(verified, checked, safety));
}

function safetyText(verified, checked, safety) {
  const checks = verified ? `${formatCountOf(checked, 'check')} so far. ` : 'Answers are not checked in this run. ';
  return safety
    ? `${checks}The share that is outvoted is an estimate, from how often answers agree.`
    : `${checks}The share that is outvoted is not known yet.`;
}

function facts({ model, data, run, traffic }) {
  return [
    `Model ${model.name}, ${formatCount(model.parameters)} parameters`,
    `Data ${data.name}`,
    `Run ${run.id.slice(0, 8)}`,
    `Server received ${formatBytes(traffic.received_bytes)}, sent ${formatBytes(traffic.sent_bytes)}`,
  ].join(' · ');
}

/** How old the fleet's numbers are, said only when they are old. */
export function showFreshness(receivedAt, now) {
  const age = receivedAt === null ? 0 : now - receivedAt;
  const stale = age > STALE_AFTER_MS && !document.hidden;
  setText('fleet-note', stale ? `as of ${formatDuration(age / 1000)} ago` : '');
  document.documentElement.classList.toggle('stale', stale);
}

/** When each milestone was first reached. */
export function showMilestones(points) {
  element('chart-empty').hidden = points.length > 0;
  for (const milestone of MILESTONES) {
    const item = element('milestones').querySelector(`[data-milestone="${milestone}"]`);
    const reached = points.find((point) => point.accuracy >= milestone);
    const texts = reached
      ? [`after ${formatDuration(reached.elapsed_s)}`, formatCountOf(reached.accepted, 'answer')]
      : ['not yet', ''];
    item.classList.toggle('reached', Boolean(reached));
    item.querySelectorAll('span').forEach((span, index) => {
      if (span.textContent !== texts[index]) span.textContent = texts[index];
    });
  }
}

/** What is worked out only for those who open the details. */
export function showDetails() {
  if (element('details').open) showHash();
}
