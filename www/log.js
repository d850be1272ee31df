// What has happened on this visit, for those who open the details.

import { element, make } from './dom.js';

const MOST_LINES = 100;
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });

let last = '';

/** Adds a line with the time; the same line twice in a row is one. */
export function note(text) {
  if (text === last) return;
  last = text;
  const list = element('log');
  const line = make('li');
  const time = make('time', '', clock.format(new Date()));
  line.append(time, ` ${text}`);
  list.prepend(line);
  while (list.childElementCount > MOST_LINES) list.lastElementChild.remove();
}
