// Wires the page together: the worker and the server's status on one side, what is shown on the other.

import { AccuracyChart, measuredPoints } from './chart.js';
import { claimSecret } from './identity.js';
import { OwnShare } from './own-share.js';
import { describe, isActive } from './status-line.js';
import { StatusPoll } from './status-poll.js';
import { missingFeature } from './support.js';
import * as view from './view.js';
import { Volunteer } from './volunteer.js';

const CLOCK_MS = 500; // countdowns and ages are shown in whole seconds

const missing = missingFeature();
const share = new OwnShare();
const chart = new AccuracyChart(document.getElementById('chart'), document.getElementById('chart-readout'));
const poll = new StatusPoll('api/v1/status', takeStatus);
const pass = () => ({ secret, token: view.joinToken() });
const volunteer = new Volunteer(socketUrl(), pass, {
  onState: () => {
    if (volunteer.state.name !== 'working') share.endRun();
    if (volunteer.state.name === 'finished') poll.askNow(); // for the final accuracy
    show();
  },
  onProgress: (report) => {
    share.report(report, performance.now());
    show();
  },
  onWorkerGone: () => share.endWorker(),
});
let runId = null;
let secret = null;

function socketUrl() {
  const url = new URL('ws', document.baseURI);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

function takeStatus() {
  const { status, failure } = poll;
  if (status && !failure) {
    if (runId !== null && runId !== status.run.id) volunteer.reset();
    runId = status.run.id;
    if (status.run.phase === 'finished' && volunteer.state.name !== 'finished') volunteer.stop();
    view.showRun(status);
    view.showTokenField(status.run.token_required);
    const points = measuredPoints(status.held_out, status.run.uptime_s);
    view.showMilestones(points);
    chart.show(points);
  }
  show();
}

function show() {
  const totals = share.totals();
  const now = Date.now();
  const line = describe({ missing, volunteer: volunteer.state, poll, accepted: totals.accepted, now });
  view.showStatusLine(line);
  const rate = line.state === 'working' ? share.rate(performance.now()) : null;
  view.showOwnShare(totals, rate, poll.status?.model.parameters ?? null);
  view.showFreshness(poll.receivedAt, now);
  document.title = isActive(line.state)
    ? `${line.headline.slice(0, -1)} · FAR-SIGN`
    : 'FAR-SIGN: help train a digit reader';
}

for (const action of ['start', 'pause', 'stop']) {
  document.getElementById(action).addEventListener('click', () => volunteer[action]());
}
poll.begin();
setInterval(show, CLOCK_MS);
show();
if (missing === null) {
  secret = await claimSecret();
  volunteer.prepare();
}
