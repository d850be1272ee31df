// @ts-check
// Connects the workers and the server's status to the panels of the page.

import './shared/plain-address.js';
import { StatusClient } from './api/status-client.js';
import { VolunteerKeys } from './api/volunteer-keys.js';
import { clearData } from './panels/clear-data.js';
import { showContribution } from './panels/contribution-panel.js';
import { ContributionStats } from './panels/contribution-stats.js';
import { showDataTexts } from './panels/data-texts.js';
import { DemoView } from './panels/demo-view.js';
import { showFacts, showVersion } from './panels/details-panel.js';
import { DrawingPanel } from './panels/drawing-panel.js';
import { showFleet, showFreshness } from './panels/fleet-panel.js';
import { Leaderboard } from './panels/leaderboard.js';
import { ModelPanel } from './panels/model-panel.js';
import { SettingsForm } from './panels/settings-form.js';
import { describe, isActive, isTraining } from './panels/status-line.js';
import { checkJoinToken, joinToken, onButtons, showStatusLine, showTokenField } from './panels/status-panel.js';
import { byId } from './shared/dom.js';
import { log } from './shared/event-log.js';
import { missingFeature } from './shared/feature-detection.js';
import { measureTransfers } from './shared/transfer-meter.js';
import { LineLedger } from './worker/line-ledger.js';
import { PauseConditions } from './worker/pause-conditions.js';
import { availableCores, loadSettings, saveSettings } from './worker/settings.js';
import { WorkerPool } from './worker/worker-pool.js';

/** @typedef {import('./api/status-client.js').Status} Status */

const REFRESH_INTERVAL_MS = 500; // drawing every event would cost more than the training itself
const SLEEP_THRESHOLD_MS = 10_000; // a longer gap between two refreshes means that the device slept

const missing = missingFeature();
const stats = new ContributionStats();
const client = new StatusClient('api/v1/status', onStatus);
const keys = new VolunteerKeys();
const leaderboard = new Leaderboard(() => keys.claimed());
const modelPanel = new ModelPanel();
const ledger = new LineLedger();
const drawingPanel = new DrawingPanel(missing === null, (bytes) => ledger.add(bytes));
let settings = loadSettings();
const pool = new WorkerPool(socketUrl(), settings, credentials, {
  onReady: showVersion,
  onState: () => {
    if (!isTraining(pool.state.name)) stats.resetRates();
    if (pool.state.name === 'finished') client.requestNow(); // for the final accuracy
    show();
  },
  onProgress: (worker, progress) => stats.record(worker, progress, performance.now()), // shown at the next refresh
  onTransfer: (bytes) => ledger.add(bytes),
  onLine: (worker, report) => {
    ledger.record(report);
    if (report.lease > 0) worker.sendLineUsage(ledger.slots());
  },
  onTerminated: (worker) => stats.closeWorker(worker),
});
const pauseConditions = new PauseConditions(() => {
  form.showAvailable(pauseConditions.available);
  pool.hold(pauseConditions.reason);
});
const form = new SettingsForm(settings, availableCores, (chosen) => {
  settings = chosen;
  saveSettings(settings);
  applySettings();
});
/** @type {string | null} */
let runId = null;
let serverUptimeSeconds = 0;
/** @type {{ everyone: number, own: number } | null} Accepted updates when this visit first saw the run. */
let baseline = null;
let refreshedAt = Date.now();

function socketUrl() {
  const url = new URL('ws', document.baseURI);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

/** @param {number} index */
async function credentials(index) {
  return { secret: await keys.secret(index), token: joinToken() };
}

/** Returns the used fraction of the line budget; 0 without a budget. */
function usedLineFraction() {
  return settings.lineBudget === null ? 0 : ledger.used() / settings.lineBudget;
}

function applySettings() {
  stats.resetRates();
  pool.setLimits(settings);
  pauseConditions.choose(settings);
  show();
}

function onStatus() {
  const { status, failure } = client;
  if (status && !failure) {
    if (runId !== status.run.id) onRun(status);
    if (status.run.uptime_s < serverUptimeSeconds) leaderboard.onServerRestart();
    serverUptimeSeconds = status.run.uptime_s;
    const isRolledBack = baseline !== null && status.accepted < baseline.everyone;
    if (baseline === null || isRolledBack) {
      baseline = { everyone: status.accepted, own: stats.totals().accepted };
    }
    if (status.run.phase === 'finished' && pool.state.name !== 'finished') pool.stop();
    showTokenField(status.run.token_required);
    modelPanel.show(status);
    showFleet(status);
    showFacts(status);
    drawingPanel.update(status);
    leaderboard.refresh(performance.now(), stats.totals().accepted > 0);
  }
  show();
}

/** @param {Status} status */
function onRun(status) {
  if (runId !== null) {
    pool.reset();
    log('The server has started another run.');
    baseline = null;
  }
  runId = status.run.id;
}

function show() {
  const totals = stats.totals();
  const now = Date.now();
  const { status } = client;
  const usedLine = usedLineFraction();
  client.isLineUsed = usedLine >= 1;
  const { lineBudget } = settings;
  const line = describe({ missing, pool, client, accepted: totals.accepted, lineBudget, now });
  log(`${line.headline} ${line.detail}`);
  showStatusLine(line);
  showContribution({
    totals,
    rates: isTraining(line.state) ? stats.rates() : null,
    since: status && baseline && difference(status.accepted, totals.accepted, baseline),
    allVisits: stats.acceptedInAllVisits(),
    parameters: status?.model.parameters ?? null,
  });
  form.showUsage(settings, status, ledger);
  showFreshness(client.receivedAt, now);
  const title = showDataTexts(status);
  document.title = isActive(line.state) ? `${line.headline.slice(0, -1)} · FAR-SIGN` : title;
}

/**
 * @param {number} everyone
 * @param {number} own
 * @param {{ everyone: number, own: number }} before
 */
function difference(everyone, own, before) {
  return { everyone: everyone - before.everyone, own: own - before.own };
}

/**
 * Checks all connections now instead of at the next timer: the device slept, the tab was frozen, or the network is back.
 * @param {string} reason
 */
function wake(reason) {
  log(reason);
  pool.wake();
  client.requestNow();
}

function refresh() {
  const now = Date.now();
  if (now - refreshedAt > SLEEP_THRESHOLD_MS && !document.hidden) wake('This device was asleep.');
  refreshedAt = now;
  drawingPanel.refreshWithin(usedLineFraction());
  show();
}

async function onClearData() {
  pool.stop();
  settings = await clearData({ stats, keys, leaderboard });
  form.show(settings);
  applySettings();
}

onButtons({
  start: () => {
    if (!checkJoinToken()) return;
    stats.onStart();
    pool.start();
  },
  pause: () => pool.pause(),
  stop: () => pool.stop(),
});
byId('clear-data').addEventListener('click', onClearData);
addEventListener('online', () => wake('The network is back.'));
addEventListener('offline', () => log('The network is gone.'));
addEventListener('pagehide', () => stats.save(performance.now()));
document.addEventListener('visibilitychange', () => {
  refreshedAt = Date.now(); // browsers throttle timers of hidden tabs; the gap is not sleep
});
document.addEventListener('freeze', () => log('The browser froze this tab.'));
document.addEventListener('resume', () => wake('The browser resumed this tab.'));
measureTransfers((bytes) => ledger.add(bytes));
new DemoView();
client.start();
setInterval(refresh, REFRESH_INTERVAL_MS);
show();
if (missing === null) {
  await keys.secret(0);
  pool.prepare();
  pauseConditions.start();
  applySettings();
}
