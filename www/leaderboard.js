// The list of those who contributed most and want to be seen, and this person's name on it.

import { element, make, setText } from './dom.js';
import { formatCount, formatCountOf } from './format.js';
import { keptSecret } from './identity.js';
import { toHex } from './secret.js';
import { drop, keep, kept } from './storage.js';

const PATH = 'api/v1/leaderboard';
const EVERY_MS = 5000;
const NAME = 'name';
const PERSON = 'person';
const NAME_PATTERN = /^(?!.*[\u115f\u1160\u3164\uffa0])[\p{Alphabetic}\p{N} _.'-]{1,20}$/u; // as the server has it

export class Leaderboard {
  #secrets;
  #id = null; // of this person's row
  #known = ''; // what the server was told last: the name and how many volunteers
  #askedAt = -Infinity;
  #posted = Promise.resolve(); // requests go one after the other: what is said last counts

  /** secrets(): a promise of the secrets of this tab's volunteers. */
  constructor(secrets) {
    this.#secrets = secrets;
    element('name').value = kept(NAME) ?? '';
    element('name-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#join(element('name').value);
    });
    element('name-leave').addEventListener('click', () => this.leave('You are no longer on the list.'));
    this.#showMember();
  }

  /** Call now and then: refreshes the list and, of who has contributed, tells the server a name that it may not know. */
  async refresh(now, contributed) {
    if (document.hidden || now - this.#askedAt < EVERY_MS) return;
    this.#askedAt = now;
    if (contributed && kept(NAME) !== null) await this.#tell(kept(NAME));
    const response = await fetch(PATH, { cache: 'no-store' }).catch(() => null);
    const list = response?.ok ? await response.json().catch(() => null) : null;
    if (Array.isArray(list?.people)) this.#show(list);
  }

  /** The server has forgotten the name: it keeps names only as long as it runs. */
  serverRestarted() {
    this.#known = '';
  }

  /** Takes the name off the list, here and on the server; whether the server knows. */
  async leave(farewell) {
    drop(NAME);
    this.#known = '';
    this.#id = null;
    element('name').value = '';
    this.#showMember();
    const person = kept(PERSON);
    const response = person === null ? { ok: true } : await this.#post(`${PATH}/leave`, { person });
    drop(PERSON);
    setText('name-note', response?.ok ? farewell : 'The server cannot be reached; it forgets names when it restarts.');
    this.#askedAt = -Infinity;
    return Boolean(response?.ok);
  }

  async #join(name) {
    const trimmed = name.trim().replace(/\s+/g, ' ');
    if (trimmed === '') return setText('name-note', 'Write a name first.');
    if (!NAME_PATTERN.test(trimmed)) {
      return setText('name-note', "Up to 20 letters, digits, spaces and any of -_.' please.");
    }
    if (!keep(NAME, trimmed)) return setText('name-note', 'This browser keeps nothing, and so no name.');
    setText('name-note', '');
    this.#known = '';
    const told = await this.#tell(trimmed);
    if (told === 'refused') {
      drop(NAME);
      return setText('name-note', 'The server does not take this name.');
    }
    this.#showMember();
    if (told === 'later') setText('name-note', 'Your name appears with your first accepted answer.');
    this.#askedAt = -Infinity;
  }

  /** 'known', 'later' (after the first accepted answer, or when the server answers again) or 'refused'. */
  async #tell(name) {
    const volunteers = (await this.#secrets()).map(toHex);
    const known = `${name} ${volunteers.length}`;
    if (known === this.#known) return 'known';
    const response = await this.#post(PATH, { person: toHex(keptSecret(PERSON)), name, volunteers });
    const answer = response?.ok ? await response.json().catch(() => null) : null;
    if (!answer?.kept) return response?.status === 400 ? 'refused' : 'later';
    // Of whom nothing was accepted yet, the server keeps nothing: they are told again.
    this.#known = answer.volunteers === volunteers.length ? known : '';
    this.#id = answer.id;
    setText('name-note', '');
    return 'known';
  }

  #post(path, body) {
    this.#posted = this.#posted.then(() => post(path, body));
    return this.#posted;
  }

  #showMember() {
    const member = kept(NAME) !== null;
    element('name-leave').hidden = !member;
    setText('name-join', member ? 'Change' : 'Show my name');
  }

  #show({ people, named }) {
    const rows = people.map(({ id, name, accepted }) => {
      const row = make('li');
      row.classList.toggle('me', id === this.#id);
      row.append(make('span', 'who', name), make('span', 'number', formatCount(accepted)));
      if (id === this.#id) row.firstChild.append(make('span', 'note', ' you'));
      return row;
    });
    element('leaders').replaceChildren(...rows);
    element('leaders-empty').hidden = rows.length > 0;
    setText('leaders-note', named > rows.length ? `of ${formatCountOf(named, 'name')}` : '');
  }
}

/** The response, or null where there is none. */
function post(path, body) {
  return fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  }).catch(() => null);
}
