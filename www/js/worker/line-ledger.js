// @ts-check
// The bytes that this browser has sent and received for these pages in the last hour, over all tabs and reloads.
//
// Every page view has an entry of its own in the browser's storage, which only this view writes, so no tab overwrites
// another. An entry is a list of minutes since 1970 with their bytes. This module only adds; the training code decides
// what a budget allows. Without storage, the bytes of this view alone are known.

import { createSecret, toHex } from '../api/random-secret.js';
import { local } from '../shared/storage.js';

const ENTRY_PREFIX = 'line-';
const MINUTE_MS = 60_000;
const WINDOW_MINUTES = 60;
const MAX_FUTURE_MINUTES = 60; // minutes further ahead come from a clock that was wrong; they count as the current one

/** @typedef {Map<number, number>} Slots Bytes by minute. */

/**
 * `spent` bytes that no lease of this `minute` contains, the bytes of a new `lease`, and the `returned` bytes of the
 * last one, which was counted in `leased_minute`.
 * @typedef {{ minute: number, spent: number, lease: number, returned: number, leased_minute: number }} LineReport
 */

/** A ledger of transferred bytes. */
export class LineLedger {
  #entry = ENTRY_PREFIX + toHex(createSecret());
  /** @type {Slots} The bytes of this view. */
  #own = new Map();

  /** Whether the bytes of other tabs and of earlier views are known. */
  isShared = true;

  /**
   * Counts bytes of a download.
   * @param {number} bytes
   */
  add(bytes) {
    this.record({ minute: currentMinute(), spent: bytes, lease: 0, returned: 0, leased_minute: 0 });
  }

  /**
   * Counts what the training code reports.
   * @param {LineReport} report
   */
  record({ minute, spent, lease, returned, leased_minute: leasedMinute }) {
    this.#addTo(minute, spent + lease);
    this.#addTo(leasedMinute, -returned);
    this.#save(currentMinute());
  }

  /**
   * @param {number} minute
   * @param {number} bytes
   */
  #addTo(minute, bytes) {
    this.#own.set(minute, Math.max(0, (this.#own.get(minute) ?? 0) + bytes));
  }

  /** @param {number} now */
  #save(now) {
    this.#own = toSlots(current(this.#own, now));
    this.isShared = local.set(this.#entry, JSON.stringify([...this.#own]));
  }

  /**
   * Returns the bytes of the last hour over all tabs, as pairs of a minute and its bytes. Removes entries without any.
   * @returns {Float64Array}
   */
  slots() {
    const now = currentMinute();
    const all = current(this.#own, now);
    for (const name of local.names(ENTRY_PREFIX)) {
      if (name === this.#entry) continue;
      const stored = parse(local.get(name));
      const slots = current(stored, now);
      all.push(...slots);
      const isOfWrongClock = stored.some(([minute]) => minute > now + MAX_FUTURE_MINUTES);
      if (isOfWrongClock) this.#takeOver(slots, now);
      if (isOfWrongClock || slots.length === 0) local.remove(name);
    }
    return Float64Array.from([...toSlots(all)].flat());
  }

  /**
   * Counts the bytes of an entry that will be removed.
   * @param {[number, number][]} slots
   * @param {number} now
   */
  #takeOver(slots, now) {
    this.#own = toSlots([...this.#own, ...slots]);
    this.#save(now);
  }

  /** Returns the bytes of the last hour over all tabs. */
  used() {
    return this.slots().reduce((sum, value, index) => (index % 2 === 1 ? sum + value : sum), 0);
  }
}

const currentMinute = () => Math.floor(Date.now() / MINUTE_MS);

/**
 * Adds up the bytes of equal minutes.
 * @param {Iterable<[number, number]>} pairs
 * @returns {Slots}
 */
function toSlots(pairs) {
  const slots = new Map();
  for (const [minute, bytes] of pairs) slots.set(minute, (slots.get(minute) ?? 0) + bytes);
  return slots;
}

/**
 * Returns the slots of the last hour. Minutes far in the future become the current one.
 * @param {Iterable<[number, number]>} slots
 * @param {number} now
 * @returns {[number, number][]}
 */
const current = (slots, now) =>
  [...slots]
    .filter(([minute, bytes]) => bytes > 0 && minute >= now - WINDOW_MINUTES)
    .map(([minute, bytes]) => [minute > now + MAX_FUTURE_MINUTES ? now : minute, bytes]);

/**
 * Returns the slots of an entry, no slots if another program has damaged it.
 * @param {string | null} text
 * @returns {[number, number][]}
 */
function parse(text) {
  try {
    const slots = JSON.parse(text ?? '[]');
    return slots.filter(
      (/** @type {unknown} */ slot) => Array.isArray(slot) && slot.length === 2 && slot.every(Number.isFinite),
    );
  } catch {
    return [];
  }
}
