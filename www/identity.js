// The secrets that make this tab's volunteers the same ones after a reload.
//
// A secret has one session at a time, and every core of every tab is a volunteer of its own. So the browser keeps
// several secrets, and a tab holds a lock on each that it uses until it is gone. Locks exist only on pages that came
// over TLS or from this machine; elsewhere secrets last as long as the tab.

import { keep, kept } from './storage.js';
import { fromHex, newSecret, toHex } from './secret.js';

const MOST_VOLUNTEERS = 64; // of a browser; further ones have secrets that are not kept

/** The secrets of one tab's volunteers, claimed one after the other and held until the tab is gone. */
export class Identities {
  #claims = [];
  #next = 0; // the number of the next secret to try

  /** The secret of volunteer number `index` of this tab, as a promise of a Uint8Array. */
  secret(index) {
    while (this.#claims.length <= index) {
      const before = this.#claims.at(-1) ?? Promise.resolve();
      this.#claims.push(before.then(() => this.#claim()));
    }
    return this.#claims[index];
  }

  /** All secrets claimed so far. */
  claimed() {
    return Promise.all(this.#claims);
  }

  /** Forgets them: whoever is claimed from now on is somebody else. The locks stay with this tab. */
  forget() {
    this.#claims = [];
  }

  async #claim() {
    while (navigator.locks && this.#next < MOST_VOLUNTEERS) {
      const name = `secret-${this.#next}`;
      this.#next += 1;
      if (await hold(`farsign-${name}`)) return keptSecret(name);
    }
    return newSecret();
  }
}

/** Whether the lock was free; it is held from then on. */
function hold(name) {
  return new Promise((resolve) => {
    const taken = (lock) => {
      resolve(lock !== null);
      return lock === null ? null : new Promise(() => {});
    };
    navigator.locks.request(name, { ifAvailable: true }, taken).catch(() => resolve(false));
  });
}

/** The secret of this name, made where there is none. */
export function keptSecret(name) {
  const found = fromHex(kept(name));
  if (found !== null) return found;
  const made = newSecret();
  keep(name, toHex(made));
  return made;
}
