// Who was sent away, and the bans.

import { element, make, setText } from '../dom.js';
import { formatCount, formatReason } from '../format.js';

let shown = '';

/** Takes the removals of a view: the newest of `removed`. */
export function showRemovals({ removed, removals, bans }) {
  const more = removed > removals.length ? `, the newest ${formatCount(removals.length)} shown` : '';
  setText('removed-note', removed === 0 ? 'nobody so far' : `${formatCount(removed)} since the server started${more}`);
  setText('bans-note', formatCount(bans));
  const key = `${removed} ${removals[0]?.id}`;
  if (key === shown) return;
  shown = key;
  element('removals').replaceChildren(...removals.map(makeLine));
}

function makeLine({ id, address, identity, reason, accepted, checks_passed: passed, at_s: seconds }) {
  const line = make('tr');
  const texts = [
    new Date(seconds * 1000).toLocaleTimeString(),
    String(id),
    formatReason(reason),
    formatCount(accepted),
    formatCount(passed),
    address,
    identity?.slice(0, 16) ?? '–',
  ];
  line.append(...texts.map((text, index) => make('td', index === 3 || index === 4 ? 'n' : '', text)));
  return line;
}

/** Fills the list of bans; lift(ban) takes one back. */
export function showBans(bans, lift) {
  const lines = bans.map((ban) => {
    const line = make('li');
    const [kind, what] = ban.split(' ');
    const button = make('button', 'plain', 'Lift');
    button.type = 'button';
    button.setAttribute('aria-label', `Lift the ban of ${kind} ${what.slice(0, 16)}`);
    button.addEventListener('click', () => lift(ban));
    line.append(make('span', 'ban', `${formatReason(kind)} ${what}`), button);
    return line;
  });
  element('ban-list').replaceChildren(...(lines.length > 0 ? lines : [make('li', '', 'There are none.')]));
}
