// @ts-check
// The visitor's choices: how much of the device training may use, and when it pauses.

import { local } from '../shared/storage.js';

const KEY = 'settings';
const MAX_CORES = 16;
const MIN_EFFORT = 0.05;

/**
 * `effort` is a fraction of a core. Each of the three flags pauses training under its condition.
 * @typedef {{ effort: number, cores: number, onBattery: boolean, hidden: boolean, metered: boolean }} Settings
 */

/** Cores that can be chosen, 1 to 16. */
export const availableCores = Math.max(1, Math.min(MAX_CORES, navigator.hardwareConcurrency || 1));

/** A quarter of one core, and no training on battery or metered connections. */
const DEFAULTS = { effort: 0.25, cores: 1, onBattery: true, hidden: false, metered: true };

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
export function sanitize({ effort, cores, onBattery, hidden, metered }) {
  return {
    effort: clamp(effort, MIN_EFFORT, 1, DEFAULTS.effort),
    cores: Math.round(clamp(cores, 1, availableCores, DEFAULTS.cores)),
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
