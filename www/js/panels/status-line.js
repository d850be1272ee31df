// @ts-check
// The texts and buttons of each state: one pure function from facts to a view of the status line.

import { wordsFor } from '../shared/data-words.js';
import { formatBytes, formatCountOf, formatDuration, formatPercent, isNumber, toSentence } from '../shared/format.js';

/** @typedef {import('../api/status-client.js').Status} Status */
/** @typedef {import('../api/status-client.js').Failure} Failure */
/** @typedef {import('../worker/worker-handle.js').StateName} StateName */
/** @typedef {import('../worker/worker-handle.js').WorkerState} WorkerState */
/** @typedef {import('../worker/worker-pool.js').PoolSize} PoolSize */
/** @typedef {{ start: boolean, pause: boolean, stop: boolean }} EnabledButtons */

/**
 * `missing` is the name of a missing browser feature; `accepted` counts this visit's updates; `now` is in ms since the
 * epoch.
 * @typedef {object} Facts
 * @property {string | null} missing
 * @property {{ state: WorkerState, size: PoolSize }} pool
 * @property {{ status: Status | null, failure: Failure | null }} client
 * @property {number} accepted
 * @property {number | null} lineBudget Bytes an hour.
 * @property {number} now
 */

/**
 * `countdown` changes every second and is empty most of the time.
 * @typedef {object} StatusLine
 * @property {StateName | 'unsupported' | 'unreachable'} state
 * @property {string} headline
 * @property {string} detail
 * @property {string} countdown
 * @property {EnabledButtons} buttons
 */

/** @type {Set<StatusLine['state']>} */
const ACTIVE_STATES = new Set([
  'loading-data',
  'connecting',
  'working',
  'resting',
  'line-budget-used',
  'reconnecting',
  'too-slow',
  'waiting',
]);
const NO_BUTTONS = { start: false, pause: false, stop: false };
const CAN_START = { start: true, pause: false, stop: false };
const CAN_PAUSE = { start: false, pause: true, stop: true };
const CAN_RESUME = { start: true, pause: false, stop: true };

/**
 * Returns whether the workers train or are about to.
 * @param {StatusLine['state']} state
 */
export const isActive = (state) => ACTIVE_STATES.has(state);

/**
 * Returns whether the workers compute updates, with rests between them.
 * @param {StatusLine['state']} state
 */
export const isTraining = (state) => state === 'working' || state === 'resting';

/**
 * Describes the state of the page.
 * @param {Facts} facts
 * @returns {StatusLine}
 */
export function describe({ missing, pool, client, accepted, lineBudget, now }) {
  const { state } = pool;
  if (missing !== null) {
    const detail = `This browser lacks ${missing}. Please use a current Firefox, Chrome, Edge or Safari.`;
    return line('unsupported', 'Not supported.', detail, NO_BUTTONS);
  }
  const isFinished = client.status?.run.phase === 'finished' || state.name === 'finished';
  if (isFinished) return line('finished', 'Finished.', finishedText(client.status, accepted), NO_BUTTONS);
  if (client.failure && (state.name === 'idle' || state.name === 'stopped')) {
    return {
      ...line('unreachable', 'Server unreachable.', client.failure.reason, CAN_START),
      countdown: countdown('try', client.failure.retryAt, now),
    };
  }
  if (state.name === 'line-budget-used') return describeUsedLine(state, lineBudget, now);
  return describePool(state, pool.size, accepted, now);
}

/**
 * @param {WorkerState} state
 * @param {number | null} lineBudget
 * @param {number} now
 * @returns {StatusLine}
 */
function describeUsedLine({ name, retryAt }, lineBudget, now) {
  const budget = lineBudget === null ? '' : ` of ${formatBytes(lineBudget)} an hour`;
  const detail = `Your line budget${budget} is used up. Training continues${timeOfDay(retryAt)}.`;
  return { ...line(name, 'Resting.', detail, CAN_PAUSE), countdown: countdown('task', retryAt, now) };
}

/** @param {number | null} at */
function timeOfDay(at) {
  if (at === null) return ' later';
  return ` at ${new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })}`;
}

/**
 * @param {WorkerState} state
 * @param {PoolSize} size
 * @param {number} accepted
 * @param {number} now
 * @returns {StatusLine}
 */
function describePool({ name, reason, retryAt }, size, accepted, now) {
  /** @param {string} fallback */
  const reasonOr = (fallback) => (reason ? toSentence(reason) : fallback);
  switch (name) {
    case 'preparing':
      return line(name, 'Getting ready.', 'Loading the training code.', NO_BUTTONS);
    case 'idle':
      return line(name, 'Ready.', 'Nothing runs until you press Start.', CAN_START);
    case 'loading-data':
      return line(name, 'Loading data.', reasonOr('Downloading the training images from the server.'), CAN_PAUSE);
    case 'connecting':
      return line(name, 'Connecting.', reasonOr('Opening a connection to the server.'), CAN_PAUSE);
    case 'working':
      return line(name, 'Training.', reasonOr(workingText(size)), CAN_PAUSE);
    case 'resting':
      return {
        ...line(name, 'Training.', 'Resting after an update, to keep to the effort that you chose.', CAN_PAUSE),
        countdown: countdown('task', retryAt, now),
      };
    case 'waiting':
      return line(name, 'Waiting.', `${reason} Paused because of your “Pause automatically” setting.`, CAN_PAUSE);
    case 'paused':
      return line(name, 'Paused.', reasonOr('Nothing is computed or sent until you resume.'), CAN_RESUME);
    case 'reconnecting':
      return {
        ...line(name, 'Reconnecting.', reasonOr('The connection was lost.'), CAN_PAUSE),
        countdown: countdown('try', retryAt, now),
      };
    case 'too-slow':
      return {
        ...line(name, 'Too slow.', reasonOr('Updates from this device come too late.'), CAN_PAUSE),
        countdown: countdown('try', retryAt, now),
      };
    case 'stopped':
      return line(
        name,
        'Stopped.',
        `Thank you: ${formatCountOf(accepted, 'update')} accepted in this visit.`,
        CAN_START,
      );
    case 'ejected':
      return line(
        name,
        'Removed by the server.',
        `${reasonOr('The server gave no reason.')} Press Start to join again.`,
        CAN_START,
      );
    case 'out-of-memory':
      return line(name, 'Out of memory.', outOfMemoryText(size), CAN_START);
    case 'failed':
      return line(
        name,
        'Failed.',
        `${reasonOr('The training code gave no reason.')} Press Start to try again.`,
        CAN_START,
      );
    default:
      return line(name, 'Unknown state.', reasonOr(`The training code reports “${name}”.`), CAN_PAUSE);
  }
}

/** @param {PoolSize} size */
function workingText({ working, outOfMemory, all }) {
  if (all === 1) return 'Your device is improving the shared model.';
  if (working === all) return `${all} cores are improving the shared model.`;
  const others = outOfMemory > 0 ? ` There is not enough free memory for ${formatCountOf(outOfMemory, 'core')}.` : '';
  return `${working} of ${all} cores are improving the shared model.${others}`;
}

/** @param {PoolSize} size */
function outOfMemoryText({ all }) {
  const what = 'There is not enough free memory for the training images and the model';
  return all === 1
    ? `${what}. Close other tabs and programs, then press Start.`
    : `${what} on ${all} cores. Choose fewer cores, or close other tabs and programs, then press Start.`;
}

/**
 * @param {StatusLine['state']} state
 * @param {string} headline
 * @param {string} detail
 * @param {EnabledButtons} buttons
 * @returns {StatusLine}
 */
function line(state, headline, detail, buttons) {
  return { state, headline, detail, countdown: '', buttons };
}

/**
 * @param {Status | null} status
 * @param {number} accepted
 */
function finishedText(status, accepted) {
  const accuracy = status?.held_out.accuracy;
  const { noun, verb } = wordsFor(status);
  const result = isNumber(accuracy)
    ? `Training is complete: the model ${verb}s ${formatPercent(accuracy)} of the test ${noun} correctly.`
    : 'Training is complete.';
  return accepted > 0
    ? `${result} Thank you for ${formatCountOf(accepted, 'update')}.`
    : `${result} Thank you to everyone who helped.`;
}

/**
 * @param {'try' | 'task'} what
 * @param {number | null} at
 * @param {number} now
 */
function countdown(what, at, now) {
  if (at === null) return '';
  const seconds = Math.ceil((at - now) / 1000);
  if (seconds > 0) return `Next ${what} in ${formatDuration(seconds)}.`;
  return what === 'try' ? 'Trying now.' : 'Requesting a task.';
}
