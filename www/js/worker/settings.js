// @ts-check
// The visitor's choices: how much of the device and of its line training may use, and when it pauses.

import { local } from '../shared/storage.js';

const KEY = 'settings';
const MAX_CORES = 16;
const MIN_EFFORT = 0.05;

/**
 * `effort` is a fraction of a core. `lineBudget` is in bytes an hour; `null` stands for any number. Each of the three flags pauses training under its condition.
 * @typedef {{ effort: number, cores: number, lineBudget: number | null, onBattery: boolean, hidden: boolean,
 *   metered: boolean }} Settings
 */

/** Cores that can be chosen, 1 to 16. */
export const availableCores = Math.max(1, Math.min(MAX_CORES, navigator.hardwareConcurrency || 1));

/** Budgets of the line that can be chosen, in bytes an hour. */
export const LINE_BUDGETS = [10e6, 25e6, 50e6, 100e6, 250e6, 500e6, 1e9, 5e9, null];

/** A quarter of one core, at most 100 MB an hour, and no training on battery or metered connections. */
const DEFAULTS = { effort: 0.25, cores: 1, lineBudget: 100e6, onBattery: true, hidden: false, metered: true };

/** Returns the stored settings, with defaults for missing or invalid values. */
export function loadSettings() {
  /** @type {Partial<Settings>} */
  let stored = {};
  try {
    stored = JSON.parse(local.get(KEY) ?? '{}') ?? {};
  } catch {
    // An invalid entry counts as missing.
  }
  return sanitize({ ...DEFAULTS, ...stored });
}

/** @param {Settings} settings */
export function saveSettings(settings) {
  local.set(KEY, JSON.stringify(settings));
}

/**
 * Returns the settings with every value in its range.
 * @param {Settings} settings
 * @returns {Settings}
 */
export function sanitize({ effort, cores, lineBudget, onBattery, hidden, metered }) {
  return {
    effort: clamp(effort, MIN_EFFORT, 1, DEFAULTS.effort),
    cores: Math.round(clamp(cores, 1, availableCores, DEFAULTS.cores)),
    lineBudget: LINE_BUDGETS.includes(lineBudget) ? lineBudget : DEFAULTS.lineBudget,
    onBattery: Boolean(onBattery),
    hidden: Boolean(hidden),
    metered: Boolean(metered),
  };
}

/**
 * @param {number} value
 * @param {number} min
 * @param {number} max
 * @param {number} fallback
 */
function clamp(value, min, max, fallback) {
  return Number.isFinite(value) ? Math.min(max, Math.max(min, value)) : fallback;
}
