// @ts-check
// Secrets that identify this tab's volunteers to the server across reloads.
//
// A secret can be used by one session at a time, and every core of every tab is a separate volunteer. The browser
// therefore stores several secrets, and a tab locks each secret that it uses until the tab closes. Locks require a
// secure context; on other pages secrets last as long as the tab.

import { local } from '../shared/storage.js';
import { createSecret, fromHex, toHex } from './random-secret.js';

const MAX_STORED_SECRETS = 64; // of a browser; further volunteers get secrets that are not stored

/** The secrets of one tab's volunteers. Each is claimed on first use and stays locked until the tab closes. */
export class VolunteerKeys {
  /** @type {Promise<Uint8Array>[]} */
  #claims = [];
  #nextNumber = 0; // of the next stored secret to try

  /**
   * Returns the secret of volunteer number `index` of this tab.
   * @param {number} index
   * @returns {Promise<Uint8Array>}
   */
  secret(index) {
    while (this.#claims.length <= index) {
      const previous = this.#claims.at(-1) ?? Promise.resolve();
      this.#claims.push(previous.then(() => this.#claim()));
    }
    return this.#claims[index];
  }

  /** Returns all secrets claimed so far. */
  claimed() {
    return Promise.all(this.#claims);
  }

  /** Drops all claims: later volunteers have new identities. Locks stay with this tab. */
  reset() {
    this.#claims = [];
  }

  async #claim() {
    while (navigator.locks && this.#nextNumber < MAX_STORED_SECRETS) {
      const name = `secret-${this.#nextNumber}`;
      this.#nextNumber += 1;
      if (await acquireLock(`farsign-${name}`)) return storedSecret(name);
    }
    return createSecret();
  }
}

/**
 * Returns whether the lock was free. An acquired lock is held until the tab closes.
 * @param {string} name
 * @returns {Promise<boolean>}
 */
function acquireLock(name) {
  return new Promise((resolve) => {
    /** @param {Lock | null} lock */
    const onResult = (lock) => {
      resolve(lock !== null);
      return lock === null ? null : new Promise(() => {});
    };
    navigator.locks.request(name, { ifAvailable: true }, onResult).catch(() => resolve(false));
  });
}

/**
 * Returns the stored secret of this name, and creates it if there is none.
 * @param {string} name
 */
export function storedSecret(name) {
  const stored = fromHex(local.get(name));
  if (stored !== null) return stored;
  const created = createSecret();
  local.set(name, toHex(created));
  return created;
}
