// What the person has chosen: how much of the machine may be used, and when not. Kept in this browser.

import { keep, kept } from './storage.js';

const NAME = 'settings';
const MOST_CORES = 16;

/** @typedef {{effort: number, cores: number, onBattery: boolean, hidden: boolean, metered: boolean}} Settings */

/** Cores that may be chosen from, 1 to 16. */
export const coresAvailable = Math.max(1, Math.min(MOST_CORES, navigator.hardwareConcurrency || 1));

/** A quarter of one core, and none where it costs more than electricity. true stands for "pause then". */
const MODEST = { effort: 0.25, cores: 1, onBattery: true, hidden: false, metered: true };

/** @returns {Settings} What was chosen before; whatever is missing or impossible is modest. */
export function loadSettings() {
  let found = {};
  try {
    found = JSON.parse(kept(NAME) ?? '{}') ?? {};
  } catch {
    // not ours, or broken
  }
  return checked({ ...MODEST, ...found });
}

/** @param {Settings} settings */
export function keepSettings(settings) {
  keep(NAME, JSON.stringify(settings));
}

/** @param {object} settings @returns {Settings} The same within its bounds. */
export function checked({ effort, cores, onBattery, hidden, metered }) {
  const within = (value, low, high, otherwise) =>
    Number.isFinite(value) ? Math.min(high, Math.max(low, value)) : otherwise;
  return {
    effort: within(effort, 0.05, 1, MODEST.effort),
    cores: Math.round(within(cores, 1, coresAvailable, MODEST.cores)),
    onBattery: Boolean(onBattery),
    hidden: Boolean(hidden),
    metered: Boolean(metered),
  };
}
