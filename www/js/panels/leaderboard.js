// @ts-check
// The list of top contributors, and this visitor's name in it.

import { toHex } from '../api/random-secret.js';
import { storedSecret } from '../api/volunteer-keys.js';
import { byId, createElement, setText, typedById } from '../shared/dom.js';
import { formatCount, formatCountOf } from '../shared/format.js';
import { local } from '../shared/storage.js';
import { nameProblem, normalizeName } from './person-name.js';

const PATH = 'api/v1/leaderboard';
const REFRESH_INTERVAL_MS = 5000;
const NAME_KEY = 'name';
const PERSON_KEY = 'person';

/** @typedef {{ id: string, name: string, accepted: number }} Person */
/** @typedef {{ people: Person[], named: number }} Board */
/** @typedef {'registered' | 'pending' | 'rejected'} Registration */

const ui = {
  list: byId('leaders'),
  note: byId('leaders-note'),
  empty: byId('leaders-empty'),
  form: typedById('name-form', HTMLFormElement),
  name: typedById('name', HTMLInputElement),
  nameNote: byId('name-note'),
  submitLabel: byId('name-submit'),
  leave: typedById('name-leave', HTMLButtonElement),
};

/** The leaderboard panel. */
export class Leaderboard {
  #secrets;
  /** @type {string | null} The row of this visitor. */
  #id = null;
  #registered = ''; // the last accepted registration: name and number of volunteers
  #refreshedAt = Number.NEGATIVE_INFINITY;
  /** @type {Promise<Response | null>} Requests run in sequence, so the last one wins. */
  #lastRequest = Promise.resolve(null);

  /** @param {() => Promise<Uint8Array[]>} secrets Returns the secrets of this tab's volunteers. */
  constructor(secrets) {
    this.#secrets = secrets;
    ui.name.value = local.get(NAME_KEY) ?? '';
    ui.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#join(ui.name.value);
    });
    ui.leave.addEventListener('click', () => this.leave('Your name has been removed from the list.'));
    this.#showMembership();
  }

  /**
   * Refreshes the list at most every few seconds, and registers the stored name if the server may not have it.
   * @param {number} now
   * @param {boolean} hasContributed
   */
  async refresh(now, hasContributed) {
    if (document.hidden || now - this.#refreshedAt < REFRESH_INTERVAL_MS) return;
    this.#refreshedAt = now;
    const name = local.get(NAME_KEY);
    if (hasContributed && name !== null) await this.#register(name);
    const response = await fetch(PATH, { cache: 'no-store' }).catch(() => null);
    const board = response?.ok ? await response.json().catch(() => null) : null;
    if (Array.isArray(board?.people)) this.#show(board);
  }

  /** A restarted server has no names. */
  onServerRestart() {
    this.#registered = '';
  }

  /**
   * Removes the name here and on the server; returns whether the server has confirmed it.
   * @param {string} message
   */
  async leave(message) {
    local.remove(NAME_KEY);
    this.#registered = '';
    this.#id = null;
    ui.name.value = '';
    this.#showMembership();
    const person = local.get(PERSON_KEY);
    const response = person === null ? null : await this.#post(`${PATH}/leave`, { person });
    const isRemoved = person === null || Boolean(response?.ok);
    local.remove(PERSON_KEY);
    setText(ui.nameNote, isRemoved ? message : 'The server cannot be reached; it drops names when it restarts.');
    this.#refreshedAt = Number.NEGATIVE_INFINITY;
    return isRemoved;
  }

  /** @param {string} input */
  async #join(input) {
    const name = normalizeName(input);
    const problem = this.#store(name);
    setText(ui.nameNote, problem);
    if (problem !== '') return;
    this.#registered = '';
    const registration = await this.#register(name);
    if (registration === 'rejected') {
      local.remove(NAME_KEY);
      setText(ui.nameNote, 'The server does not accept this name.');
      return;
    }
    this.#showMembership();
    if (registration === 'pending') setText(ui.nameNote, 'Your name appears after your first accepted update.');
    this.#refreshedAt = Number.NEGATIVE_INFINITY;
  }

  /**
   * Stores a valid name; returns the problem as a sentence, or ''.
   * @param {string} name
   */
  #store(name) {
    const problem = nameProblem(name);
    if (problem !== '') return problem;
    if (!local.set(NAME_KEY, name)) return 'Your browser blocks site storage, so the name cannot be saved.';
    return '';
  }

  /**
   * Registers the name on the server. The result is pending before the first accepted update, and while the server is
   * unreachable.
   * @param {string} name
   * @returns {Promise<Registration>}
   */
  async #register(name) {
    const volunteers = (await this.#secrets()).map(toHex);
    const registration = `${name} ${volunteers.length}`;
    if (registration === this.#registered) return 'registered';
    const response = await this.#post(PATH, { person: toHex(storedSecret(PERSON_KEY)), name, volunteers });
    const body = response?.ok ? await response.json().catch(() => null) : null;
    if (!body?.kept) return response?.status === 400 ? 'rejected' : 'pending';
    // The server stores only volunteers with accepted updates; the others are registered again later.
    this.#registered = body.volunteers === volunteers.length ? registration : '';
    this.#id = body.id;
    setText(ui.nameNote, '');
    return 'registered';
  }

  /**
   * @param {string} path
   * @param {object} body
   */
  #post(path, body) {
    this.#lastRequest = this.#lastRequest.then(() => post(path, body));
    return this.#lastRequest;
  }

  #showMembership() {
    const isMember = local.get(NAME_KEY) !== null;
    ui.leave.hidden = !isMember;
    setText(ui.submitLabel, isMember ? 'Change' : 'Show my name');
  }

  /** @param {Board} board */
  #show({ people, named }) {
    const rows = people.map((person) => this.#createRow(person));
    ui.list.replaceChildren(...rows);
    ui.empty.hidden = rows.length > 0;
    setText(ui.note, named > rows.length ? `of ${formatCountOf(named, 'name')}` : '');
  }

  /** @param {Person} person */
  #createRow({ id, name, accepted }) {
    const row = createElement('li', id === this.#id ? 'own' : '');
    const label = createElement('span', 'label');
    label.append(createElement('bdi', '', name)); // isolates a name from right to left
    if (id === this.#id) label.append(createElement('span', 'note', ' you'));
    row.append(label, createElement('span', 'number', formatCount(accepted)));
    return row;
  }
}

/**
 * Returns the response, or `null` if the server is unreachable.
 * @param {string} path
 * @param {object} body
 * @returns {Promise<Response | null>}
 */
function post(path, body) {
  return fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  }).catch(() => null);
}
