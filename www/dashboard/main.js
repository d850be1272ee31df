// @ts-check
// Connects the dashboard to the public status and, with the admin token, to the list of volunteers and the admin API.

import '../js/shared/plain-address.js';
import { StatusClient } from '../js/api/status-client.js';
import { byId, setNumber, setText, typedById } from '../js/shared/dom.js';
import { capitalize, formatBytes, formatCount, formatCountOf, formatDuration } from '../js/shared/format.js';
import { session } from '../js/shared/storage.js';
import { AdminApi } from './admin-api.js';
import { confirm } from './confirm-dialog.js';
import { showBans, showEjections } from './ejections.js';
import { EventStream } from './event-stream.js';
import { PublicView } from './public-view.js';
import { VolunteerTable } from './volunteer-table.js';

/** @typedef {import('./volunteer-table.js').Volunteer} Volunteer */
/** @typedef {import('./volunteer-table.js').Action} Action */
/**
 * @typedef {object} View
 * @property {import('./volunteer-table.js').VolunteerPage} volunteers
 * @property {number} ejected
 * @property {import('./ejections.js').Ejection[]} ejections
 * @property {number} effort_percent
 * @property {number} bans
 * @property {boolean | null} ban_file_failing
 * @property {{ version: number, age_s: number }} snapshot
 * @property {{ commits: number, log_bytes: number } | null} saved
 */

const TOKEN_KEY = 'admin-token';
const SLOW_PERCENT = 25;
const MAX_BAN_CHARACTERS = 30;

const ui = {
  state: byId('state'),
  access: byId('access'),
  accessNote: byId('access-note'),
  accessForm: typedById('access-form', HTMLFormElement),
  token: typedById('token', HTMLInputElement),
  adminPanels: [byId('run'), byId('volunteers'), byId('ejected')],
  pause: typedById('pause', HTMLButtonElement),
  effortOfAll: typedById('effort-all', HTMLSelectElement),
  signOut: byId('sign-out'),
  actionNote: byId('action-note'),
  snapshotAge: byId('snapshot-age'),
  snapshotVersion: byId('snapshot-version'),
  saved: byId('saved'),
  savedNote: byId('saved-note'),
  bans: typedById('bans', HTMLDetailsElement),
};

const admin = new AdminApi();
const publicView = new PublicView();
const client = new StatusClient('../api/v1/status', onStatus);
/** @type {EventStream<View>} */
const stream = new EventStream('../api/v1/admin/dashboard', { onView, onDenied, onLost });
const table = new VolunteerTable((query) => stream.setQuery(query), onAction);
/** @type {string | null} A sentence while the stream is broken. */
let streamError = null;

function onStatus() {
  const { status, failure } = client;
  if (status && !failure) publicView.show(status);
  if (status) {
    table.setVerified(status.run.rule === 'verified');
    setText(ui.pause, status.run.paused ? 'Resume run' : 'Pause run');
  }
  setText(ui.state, describeState());
}

function describeState() {
  const { status, failure } = client;
  if (failure) return failure.reason;
  if (status === null) return 'Connecting…';
  const state = status.run.paused ? 'Paused.' : status.run.phase === 'finished' ? 'Finished.' : 'Training.';
  return streamError ? `${state} The list of volunteers is out of date: ${streamError}` : state;
}

/** @param {View} view */
function onView(view) {
  streamError = null;
  showAdminPanels(true);
  table.show(view.volunteers);
  showEjections(view);
  const age = view.snapshot.age_s;
  setNumber(ui.snapshotAge, age, age < 1 ? 'Fresh' : `${formatDuration(age)} old`);
  setText(ui.snapshotVersion, `version ${formatCount(view.snapshot.version)}`);
  const { saved } = view;
  setNumber(ui.saved, saved?.log_bytes, saved ? formatBytes(saved.log_bytes) : 'No');
  setText(ui.savedNote, saved ? formatCountOf(saved.commits, 'commit') : 'lost when the server stops');
  if (document.activeElement !== ui.effortOfAll) ui.effortOfAll.value = String(view.effort_percent);
}

/** @param {string} reason */
function onLost(reason) {
  streamError = reason;
}

/** @param {number} status */
function onDenied(status) {
  signOut();
  setText(
    ui.accessNote,
    status === 404
      ? 'This server has no admin token. To manage volunteers, start it with --admin-token.'
      : 'This is not the admin token of this server.',
  );
  ui.token.focus();
}

/**
 * Returns why no server has this token, as a sentence, or ''.
 * @param {string} token
 */
function describeProblem(token) {
  if (token === '') return 'Please enter the admin token.';
  const [wrong] = token.match(/[^ -~]/u) ?? [];
  if (wrong === undefined) return '';
  const name = /\p{C}/u.test(wrong) ? 'a control character' : `“${wrong}”`;
  return `An admin token has only ASCII letters, digits, punctuation and spaces, but this text has ${name}.`;
}

/** @param {string} token */
function signIn(token) {
  admin.useToken(token);
  stream.setQuery(table.query());
  stream.useToken(token);
}

function signOut() {
  session.remove(TOKEN_KEY);
  admin.useToken('');
  stream.useToken(null);
  showAdminPanels(false);
}

/** @param {boolean} isSignedIn */
function showAdminPanels(isSignedIn) {
  ui.access.hidden = isSignedIn;
  for (const panel of ui.adminPanels) panel.hidden = !isSignedIn;
}

/**
 * @param {Action} action
 * @param {Volunteer} volunteer
 */
function onAction(action, volunteer) {
  const name = `volunteer ${volunteer.id}`;
  if (action === 'effort') return toggleEffort(volunteer, name);
  return action === 'eject' ? eject(volunteer, name) : ban(volunteer, name);
}

/**
 * @param {Volunteer} volunteer
 * @param {string} name
 */
async function toggleEffort(volunteer, name) {
  const percent = volunteer.effort_percent > SLOW_PERCENT ? SLOW_PERCENT : 100;
  showResult(await admin.setEffort(volunteer.id, percent), `${name} now works at ${percent} %.`);
}

/**
 * @param {Volunteer} volunteer
 * @param {string} name
 */
async function eject(volunteer, name) {
  const text = 'The session ends and the volunteer is informed. The volunteer can join again.';
  const choice = await confirm(`Eject ${name}?`, text, [{ value: 'yes', label: 'Eject' }]);
  if (choice) showResult(await admin.eject(volunteer.id), `Ejected ${name}.`);
}

/**
 * @param {Volunteer} volunteer
 * @param {string} name
 */
async function ban(volunteer, name) {
  const targets = [{ value: 'address', label: `Ban ${volunteer.address}` }];
  if (volunteer.identity) targets.unshift({ value: 'identity', label: 'Ban the identity' });
  const kind = await confirm(
    `Ban ${name}?`,
    'A banned volunteer can create a new identity. A banned address blocks everyone who uses it.',
    targets,
  );
  if (kind === null) return;
  const target = kind === 'identity' ? volunteer.identity : volunteer.address;
  showResult(await admin.ban(`${kind} ${target}`), `Banned the ${kind} of ${name}.`);
}

/**
 * @param {string | null} error
 * @param {string} [success]
 */
function showResult(error, success = '') {
  setText(ui.actionNote, error ?? capitalize(success));
}

async function refreshBans() {
  const bans = await admin.bans();
  if (bans === null) {
    showResult('The list of bans could not be refreshed.');
    return;
  }
  showBans(bans, async (target) => {
    showResult(await admin.unban(target), `Removed the ban of ${target.slice(0, MAX_BAN_CHARACTERS)}.`);
    refreshBans();
  });
}

async function togglePause() {
  const isPaused = !client.status?.run.paused;
  if (isPaused) {
    const text = 'All sessions end. Volunteers return when you resume the run.';
    const choice = await confirm('Pause the run?', text, [{ value: 'yes', label: 'Pause' }]);
    if (choice === null) return;
  }
  showResult(await admin.setPaused(isPaused), isPaused ? 'The run is paused.' : 'The run has resumed.');
  client.requestNow();
}

ui.accessForm.addEventListener('submit', (event) => {
  event.preventDefault();
  const token = ui.token.value.trim(); // no token begins or ends with a space
  const problem = describeProblem(token);
  if (problem !== '') {
    setText(ui.accessNote, problem);
    return;
  }
  session.set(TOKEN_KEY, token);
  ui.token.value = '';
  signIn(token);
});
ui.signOut.addEventListener('click', signOut);
ui.pause.addEventListener('click', togglePause);
ui.effortOfAll.addEventListener('change', async () => {
  const percent = Number(ui.effortOfAll.value);
  showResult(await admin.setEffortOfAll(percent), `All volunteers now work at ${percent} % of their own setting.`);
});
ui.bans.addEventListener('toggle', () => {
  if (ui.bans.open) refreshBans();
});

const storedToken = session.get(TOKEN_KEY);
if (storedToken !== null && describeProblem(storedToken) === '') signIn(storedToken);
client.start();
