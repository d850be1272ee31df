// @ts-check
// The log of this visit, in the page's details.

import { byId, createElement } from './dom.js';

const MAX_LINES = 100;
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const list = byId('log');

let lastText = '';

/**
 * Adds a line with the current time. A repetition of the last line is skipped.
 * @param {string} text
 */
export function log(text) {
  if (text === lastText) return;
  lastText = text;
  const line = createElement('li');
  line.append(createElement('time', '', clock.format(new Date())), ` ${text}`);
  list.prepend(line);
  while (list.childElementCount > MAX_LINES) list.lastElementChild?.remove();
}
