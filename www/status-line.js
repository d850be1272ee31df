// What the page says and offers in each state: one pure function from the facts to the status line and the buttons.

import { asSentence, formatCountOf, formatPercent } from './format.js';

const ACTIVE = new Set(['loading-data', 'connecting', 'working', 'reconnecting', 'held']);
const NOTHING = { start: false, pause: false, stop: false };
const START = { start: true, pause: false, stop: false };
const RUNNING = { start: false, pause: true, stop: true };
const RESUME = { start: true, pause: false, stop: true };

/** Whether the workers compute or are about to. */
export const isActive = (stateName) => ACTIVE.has(stateName);

/**
 * facts: missing (a feature's name or null), crew (its state and size), poll (status and failure), accepted (own
 * answers this visit), now (ms since the epoch).
 * Returns state, headline, detail, countdown (changes every second) and buttons.
 */
export function describe({ missing, crew, poll, accepted, now }) {
  const { state } = crew;
  if (missing) {
    return line(
      'unsupported',
      'Not supported.',
      `This browser lacks ${missing}; a current Firefox, Chrome, Edge or Safari can help.`,
      NOTHING,
    );
  }
  const finished = poll.status?.run.phase === 'finished' || state.name === 'finished';
  if (finished) return line('finished', 'Finished.', finishedText(poll.status, accepted), NOTHING);
  if (poll.failure && (state.name === 'idle' || state.name === 'stopped')) {
    return {
      ...line('unreachable', 'Server unreachable.', poll.failure.reason, START),
      countdown: countdown(poll.failure.retryAt, now),
    };
  }
  return describeCrew(state, crew.size, accepted, now);
}

function describeCrew({ name, reason, retryAt }, size, accepted, now) {
  const because = (otherwise) => (reason ? asSentence(reason) : otherwise);
  switch (name) {
    case 'preparing':
      return line(name, 'Getting ready.', 'Loading the training code.', NOTHING);
    case 'idle':
      return line(name, 'Ready.', 'Nothing runs until you press Start.', START);
    case 'loading-data':
      return line(name, 'Loading data.', because('Fetching the training images from the server.'), RUNNING);
    case 'connecting':
      return line(name, 'Connecting.', because('Opening a connection to the server.'), RUNNING);
    case 'working':
      return line(name, 'Working.', because(workingText(size)), RUNNING);
    case 'held':
      return line(name, 'Waiting.', `${reason} You chose to rest then, under “Pause by itself”.`, RUNNING);
    case 'paused':
      return line(name, 'Paused.', because('Nothing is computed or sent until you resume.'), RESUME);
    case 'reconnecting':
      return {
        ...line(name, 'Reconnecting.', because('The connection was lost.'), RUNNING),
        countdown: countdown(retryAt, now),
      };
    case 'stopped':
      return line(name, 'Stopped.', `Thank you: ${formatCountOf(accepted, 'answer')} accepted this visit.`, START);
    case 'removed':
      return line(name, 'Removed by the server.', `${because('It gave no reason.')} Press Start to join again.`, START);
    case 'failed':
      return line(name, 'Failed.', `${because('The training code gave no reason.')} Press Start to try again.`, START);
    default:
      return line(name, 'Unknown state.', because(`The training code reports “${name}”.`), RUNNING);
  }
}

function workingText({ working, all }) {
  if (all === 1) return 'Your answers are shaping the shared model.';
  if (working === all) return `${all} cores are shaping the shared model.`;
  return `${working} of ${all} cores are shaping the shared model.`;
}

function line(state, headline, detail, buttons) {
  return { state, headline, detail, countdown: '', buttons };
}

function finishedText(status, accepted) {
  const accuracy = status?.held_out?.accuracy;
  const result = Number.isFinite(accuracy)
    ? `This model is finished: it reads ${formatPercent(accuracy)} of held-out digits correctly.`
    : 'This model is finished.';
  return accepted > 0
    ? `${result} Thank you for ${formatCountOf(accepted, 'answer')}.`
    : `${result} Thank you to everyone who helped.`;
}

function countdown(retryAt, now) {
  if (retryAt === null) return '';
  const seconds = Math.ceil((retryAt - now) / 1000);
  return seconds > 0 ? `Next try in ${seconds} s.` : 'Trying now.';
}
