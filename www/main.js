// Wires the page together: the workers and the server's status on one side, what is shown on the other.

import { AccuracyChart, measuredPoints } from './chart.js';
import { Crew } from './crew.js';
import { element } from './dom.js';
import { Drawing } from './drawing.js';
import { Explainer } from './explainer.js';
import { forgetEverything } from './forget.js';
import { Holds } from './holds.js';
import { Identities } from './identity.js';
import { Leaderboard } from './leaderboard.js';
import { note } from './log.js';
import { OwnShare } from './own-share.js';
import { coresAvailable, keepSettings, loadSettings } from './settings.js';
import { SettingsForm } from './settings-form.js';
import { describe, isActive } from './status-line.js';
import { StatusPoll } from './status-poll.js';
import { missingFeature } from './support.js';
import * as view from './view.js';
import { showVersion } from './wasm-hash.js';

const CLOCK_MS = 500; // numbers are shown so often: to write them as they come would cost more than to compute them
const SLEPT_MS = 10_000; // a clock that stood still for so long was asleep or frozen

const missing = missingFeature();
const share = new OwnShare();
const chart = new AccuracyChart(element('chart'), element('chart-readout'));
const poll = new StatusPoll('api/v1/status', takeStatus);
const identities = new Identities();
const leaderboard = new Leaderboard(() => identities.claimed());
const drawing = new Drawing(missing === null);
let settings = loadSettings();
const crew = new Crew(socketUrl(), settings, pass, {
  onReady: showVersion,
  onState: () => {
    if (crew.state.name !== 'working') share.endRun();
    if (crew.state.name === 'finished') poll.askNow(); // for the final accuracy
    show();
  },
  onProgress: (volunteer, report) => share.report(volunteer, report, performance.now()), // shown with the clock
  onWorkerGone: (volunteer) => share.endWorker(volunteer),
});
const holds = new Holds(() => {
  form.showKnown(holds.known);
  crew.hold(holds.reason);
});
const form = new SettingsForm(settings, coresAvailable, (chosen) => {
  settings = chosen;
  keepSettings(settings);
  useSettings();
});
let runId = null;
let uptimeSeconds = 0; // of the server
let before = null; // what everyone, and this visitor, had contributed when it was first seen of this run in this visit
let clockAt = Date.now(); // a clock that goes on while the device sleeps

function socketUrl() {
  const url = new URL('ws', document.baseURI);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

async function pass(index) {
  return { secret: await identities.secret(index), token: view.joinToken() };
}

function useSettings() {
  share.endRun();
  crew.setEffort(settings.effort);
  crew.setCores(settings.cores);
  holds.choose(settings);
  show();
}

function takeStatus() {
  const { status, failure } = poll;
  if (status && !failure) {
    if (runId !== status.run.id) takeRun(status);
    if (status.run.uptime_s < uptimeSeconds) leaderboard.serverRestarted();
    uptimeSeconds = status.run.uptime_s;
    if (before === null || status.accepted < before.fleet) { // or the run was set back
      before = { fleet: status.accepted, own: share.totals().accepted };
    }
    if (status.run.phase === 'finished' && crew.state.name !== 'finished') crew.stop();
    view.showRun(status);
    view.showTokenField(status.run.token_required);
    const points = measuredPoints(status.held_out, status.run.uptime_s);
    view.showMilestones(points);
    chart.show(points);
    drawing.follow(status);
    leaderboard.refresh(performance.now(), share.totals().accepted > 0);
  }
  show();
}

function takeRun(status) {
  if (runId !== null) {
    crew.reset();
    note('The server has begun another run.');
    before = null;
  }
  runId = status.run.id;
}

function show() {
  const totals = share.totals();
  const now = Date.now();
  const line = describe({ missing, crew, poll, accepted: totals.accepted, now });
  note(`${line.headline} ${line.detail}`);
  view.showStatusLine(line);
  const working = line.state === 'working';
  const known = poll.status !== null && before !== null;
  const since = known ? { fleet: poll.status.accepted - before.fleet, own: totals.accepted - before.own } : null;
  view.showOwnShare({
    totals,
    rates: working ? share.rates() : null,
    since,
    ever: share.acceptedEver(),
    parameters: poll.status?.model.parameters ?? null,
  });
  view.showCost(settings, poll.status);
  view.showFreshness(poll.receivedAt, now);
  document.title = isActive(line.state)
    ? `${line.headline.slice(0, -1)} · FAR-SIGN`
    : 'FAR-SIGN: help train a digit reader';
}

/** A device that slept, a tab that was frozen, a network that is back: nobody has to wait for a timer. */
function wake(why) {
  note(why);
  crew.wake();
  poll.askNow();
}

function tick() {
  const now = Date.now();
  if (now - clockAt > SLEPT_MS && !document.hidden) wake('This device was asleep.');
  clockAt = now;
  drawing.refresh();
  show();
}

async function forget() {
  crew.stop();
  settings = await forgetEverything({ share, identities, leaderboard });
  form.show(settings);
  useSettings();
}

element('start').addEventListener('click', () => share.beginRun());
for (const action of ['start', 'pause', 'stop']) element(action).addEventListener('click', () => crew[action]());
element('forget').addEventListener('click', forget);
element('details').addEventListener('toggle', view.showDetails);
addEventListener('online', () => wake('The network is back.'));
addEventListener('offline', () => note('The network is gone.'));
addEventListener('pagehide', () => share.keepAccepted(performance.now()));
document.addEventListener('visibilitychange', () => {
  clockAt = Date.now(); // timers of hidden tabs are rare; that is no sleep
});
document.addEventListener('freeze', () => note('The browser froze this tab.'));
document.addEventListener('resume', () => wake('The browser let this tab go on.'));
new Explainer();
poll.begin();
setInterval(tick, CLOCK_MS);
show();
if (missing === null) {
  await identities.secret(0);
  crew.prepare();
  holds.begin();
  useSettings();
}
