// Wires the dashboard together: the public status, and for who has the admin token the volunteers and what can be done.

import { element, setNumber, setText } from '../dom.js';
import { formatBytes, formatCount, formatCountOf, formatDuration } from '../format.js';
import { StatusPoll } from '../status-poll.js';
import { ask } from './ask.js';
import { Host } from './host.js';
import { PublicPart } from './public.js';
import { showBans, showRemovals } from './removals.js';
import { HostStream } from './stream.js';
import { VolunteerTable } from './table.js';

const TOKEN = 'farsign-admin-token'; // of this tab only: sessionStorage
const SLOWER_PERCENT = 25;

const host = new Host();
const everybody = new PublicPart();
const poll = new StatusPoll('../api/v1/status', takeStatus);
const stream = new HostStream('../api/v1/admin/dashboard', { view: takeView, refused, lost });
const table = new VolunteerTable((query) => stream.ask(query), act);
let lineLost = null; // a sentence, while the stream is broken

function takeStatus() {
  const { status, failure } = poll;
  if (status && !failure) everybody.show(status);
  if (status) table.setChecked(status.run.rule === 'verified');
  if (status) setText('pause', status.run.paused ? 'Resume the run' : 'Pause the run');
  setText('state', stateText(status, failure));
}

function stateText(status, failure) {
  if (failure) return `The server does not answer. ${failure.reason}`;
  if (status === null) return 'Asking the server.';
  const state = status.run.paused ? 'Paused by the host.' : status.run.phase === 'finished' ? 'Finished.' : 'Training.';
  return lineLost ? `${state} The list of volunteers is old: ${lineLost}` : state;
}

function takeView(view) {
  lineLost = null;
  showAccess(true);
  table.show(view.volunteers);
  showRemovals(view);
  setNumber('snapshot-age', view.snapshot.age_s, view.snapshot.age_s < 1 ? 'Fresh' : `${formatDuration(view.snapshot.age_s)} old`);
  setText('snapshot-version', `version ${formatCount(view.snapshot.version)}`);
  const { saved } = view;
  setNumber('saved', saved?.log_bytes, saved ? formatBytes(saved.log_bytes) : 'No');
  setText('saved-note', saved ? `kept, ${formatCountOf(saved.commits, 'commit')}` : 'ends with the server');
  const all = element('effort-all');
  if (document.activeElement !== all) all.value = String(view.effort_percent);
}

function lost(reason) {
  lineLost = reason;
}

function refused(status) {
  forgetToken();
  setText(
    'access-note',
    status === 404
      ? 'This server has no admin token, so nobody can see or do more than this. Start it with --admin-token to change that.'
      : 'That is not the admin token of this server.',
  );
  element('token').focus();
}

function useToken(token) {
  host.use(token);
  stream.ask(table.query());
  stream.use(token);
}

function forgetToken() {
  try {
    sessionStorage.removeItem(TOKEN);
  } catch {} // where nothing may be kept, nothing is
  host.use(null);
  stream.use(null);
  showAccess(false);
}

function showAccess(open) {
  element('access').hidden = open;
  for (const id of ['actions', 'volunteers', 'removed']) element(id).hidden = !open;
}

async function act(what, row) {
  const name = `volunteer ${row.id}`;
  if (what === 'effort') return slowDown(row, name);
  if (what === 'kick') {
    const text = 'Its session ends, and the page tells its person so. It may come back.';
    if (await ask(`Remove ${name}?`, text, [['yes', 'Remove']])) tell(await host.kick(row.id), `Removed ${name}.`);
    return;
  }
  const answers = [['address', `Ban ${row.address}`]];
  if (row.identity) answers.unshift(['identity', 'Ban its identity']);
  const kind = await ask(
    `Ban ${name}?`,
    'An identity is one volunteer, who can make another. An address is everybody behind it.',
    answers,
  );
  if (kind) tell(await host.ban(`${kind} ${row[kind]}`), `Banned the ${kind} of ${name}.`);
}

async function slowDown(row, name) {
  const percent = row.effort_percent > SLOWER_PERCENT ? SLOWER_PERCENT : 100;
  tell(await host.setEffort(row.id, percent), `${name} works at ${percent} % now.`);
}

function tell(problem, done) {
  setText('action-note', problem ?? done.charAt(0).toUpperCase() + done.slice(1));
}

async function refreshBans() {
  const bans = await host.bans();
  if (bans === null) return tell('The server does not tell which bans there are. The list may be old.');
  showBans(bans, async (ban) => {
    tell(await host.lift(ban), `Lifted the ban of ${ban.slice(0, 30)}.`);
    refreshBans();
  });
}

element('access-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const token = element('token').value;
  try {
    sessionStorage.setItem(TOKEN, token);
  } catch {} // then it has to be given again after a reload
  element('token').value = '';
  useToken(token);
});
element('close').addEventListener('click', forgetToken);
element('pause').addEventListener('click', async () => {
  const paused = !poll.status?.run.paused;
  if (paused && !(await ask('Pause the run?', 'All sessions end; volunteers come back when it goes on.', [['yes', 'Pause']]))) return;
  tell(await host.pause(paused), paused ? 'The run is paused.' : 'The run goes on.');
  poll.askNow();
});
element('effort-all').addEventListener('change', async ({ target }) => {
  tell(await host.setEffort(null, target.value), `Everybody works at ${target.value} % of the chosen effort now.`);
});
element('bans').addEventListener('toggle', ({ target }) => target.open && refreshBans());

let kept = null;
try {
  kept = sessionStorage.getItem(TOKEN);
} catch {} // nothing is kept then
if (kept !== null) useToken(kept);
poll.begin();
