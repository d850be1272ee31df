// @ts-check
// The controls: Start, Pause, Stop, the join token and the status line.

import { byId, setText, typedById } from '../shared/dom.js';

const ui = {
  buttons: {
    start: typedById('start', HTMLButtonElement),
    pause: typedById('pause', HTMLButtonElement),
    stop: typedById('stop', HTMLButtonElement),
  },
  startLabel: byId('start-label'),
  status: byId('status'),
  headline: byId('status-headline'),
  detail: byId('status-detail'),
  countdown: byId('status-countdown'),
  tokenRow: byId('token-row'),
  token: typedById('token', HTMLInputElement),
};
const MAX_TOKEN_BYTES = 64;
const BUTTON_NAMES = /** @type {(keyof typeof ui.buttons)[]} */ (Object.keys(ui.buttons));

/**
 * Calls the action of each button.
 * @param {Record<keyof typeof ui.buttons, () => void>} actions
 */
export function onButtons(actions) {
  for (const name of BUTTON_NAMES) ui.buttons[name].addEventListener('click', () => actions[name]());
}

/** @param {import('./status-line.js').StatusLine} line */
export function showStatusLine({ state, headline, detail, countdown, buttons }) {
  ui.status.dataset.state = state;
  document.documentElement.dataset.state = state;
  setText(ui.headline, headline);
  setText(ui.detail, detail);
  setText(ui.countdown, countdown);
  setText(ui.startLabel, state === 'paused' ? 'Resume' : 'Start');
  enableButtons(buttons);
}

/** @param {import('./status-line.js').EnabledButtons} enabled */
function enableButtons(enabled) {
  const losesFocus = BUTTON_NAMES.some((name) => ui.buttons[name] === document.activeElement && !enabled[name]);
  for (const name of BUTTON_NAMES) ui.buttons[name].disabled = !enabled[name];
  if (!losesFocus) return;
  // A disabled button loses the keyboard focus to the top of the page, so a neighbour receives it.
  const next = BUTTON_NAMES.find((name) => enabled[name]);
  (next === undefined ? ui.status : ui.buttons[next]).focus();
}

/** @param {boolean} isRequired Whether the server requires a join token. */
export function showTokenField(isRequired) {
  ui.tokenRow.hidden = !isRequired;
}

/** Returns the join token, or `undefined` if the field is empty. No token begins or ends with a space. */
export function joinToken() {
  return ui.token.value.trim() || undefined;
}

/** Returns whether the join token can be sent; if not, the browser shows why at its field. */
export function checkJoinToken() {
  const bytes = new TextEncoder().encode(joinToken()).length;
  const isTooLong = !ui.tokenRow.hidden && bytes > MAX_TOKEN_BYTES;
  ui.token.setCustomValidity(
    isTooLong ? `A join token has at most ${MAX_TOKEN_BYTES} bytes, but this one has ${bytes}.` : '',
  );
  return ui.token.reportValidity();
}
