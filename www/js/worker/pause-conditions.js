// @ts-check
// Conditions under which the visitor wants training to pause: battery power, a hidden tab, a metered connection.
//
// Browsers need not expose these conditions. A condition that is not exposed cannot be chosen.

/** @typedef {'onBattery' | 'metered' | 'hidden'} Condition */
/** @typedef {EventTarget & { charging: boolean }} Battery */
/** @typedef {EventTarget & { saveData?: boolean, type?: string }} Connection */
/** @typedef {Navigator & { getBattery?: () => Promise<Battery>, connection?: Connection }} ExtendedNavigator */

/** @type {Record<Condition, string>} */
const REASONS = {
  onBattery: 'This device runs on battery.',
  metered: 'This connection is metered.',
  hidden: 'This tab is hidden.',
};
/** The conditions, the first reported first. */
export const CONDITIONS = /** @type {Condition[]} */ (Object.keys(REASONS));

const browser = /** @type {ExtendedNavigator} */ (navigator);

/** A watcher of the conditions that the visitor has chosen. */
export class PauseConditions {
  /** @type {Record<Condition, boolean>} */
  #chosen = { onBattery: false, metered: false, hidden: false };
  /** @type {Battery | null} */
  #battery = null;
  #connection = browser.connection ?? null;
  #onChange;

  /**
   * Whether this browser exposes each condition. `onBattery` is known shortly after `start`.
   * @type {Record<Condition, boolean>}
   */
  available = {
    onBattery: false,
    metered: this.#connection !== null && 'saveData' in this.#connection,
    hidden: true,
  };

  /** @param {() => void} onChange Called when `reason` may have changed. */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  async start() {
    document.addEventListener('visibilitychange', this.#onChange);
    this.#connection?.addEventListener?.('change', this.#onChange);
    this.#battery = (await browser.getBattery?.().catch(() => null)) ?? null;
    this.available.onBattery = this.#battery !== null;
    this.#battery?.addEventListener('chargingchange', this.#onChange);
    this.#onChange();
  }

  /** @param {Record<Condition, boolean>} chosen Whether to pause under each condition. */
  choose({ onBattery, metered, hidden }) {
    this.#chosen = { onBattery, metered, hidden };
    this.#onChange();
  }

  /** The reason to pause now, as a sentence; '' if there is none. */
  get reason() {
    const current = {
      onBattery: this.#battery !== null && !this.#battery.charging,
      metered: Boolean(this.#connection?.saveData || this.#connection?.type === 'cellular'),
      hidden: document.hidden,
    };
    const met = CONDITIONS.find((condition) => this.#chosen[condition] && current[condition]);
    return met === undefined ? '' : REASONS[met];
  }
}
