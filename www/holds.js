// Reasons to rest that the person has asked for: battery, a hidden tab, a connection that is paid by the byte.
//
// A browser need not tell any of this; what it does not tell cannot be chosen.

const REASONS = {
  onBattery: 'This device runs on battery.',
  metered: 'This connection is metered.',
  hidden: 'This tab is hidden.',
};

export class Holds {
  #chosen = {};
  #battery = null;
  #connection = navigator.connection ?? null;
  #onChange;

  /** Which reasons this browser can tell; battery is known a moment after begin(). */
  known = { onBattery: false, metered: this.#connection !== null && 'saveData' in this.#connection, hidden: true };

  /** onChange() is called whenever `reason` may have changed. */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  async begin() {
    document.addEventListener('visibilitychange', this.#onChange);
    this.#connection?.addEventListener?.('change', this.#onChange);
    this.#battery = (await navigator.getBattery?.().catch(() => null)) ?? null;
    this.known.onBattery = this.#battery !== null;
    this.#battery?.addEventListener('chargingchange', this.#onChange);
    this.#onChange();
  }

  /** Takes what the person has chosen to rest for. */
  choose({ onBattery, metered, hidden }) {
    this.#chosen = { onBattery, metered, hidden };
    this.#onChange();
  }

  /** Why to rest now, as a sentence; '' where there is no reason to. */
  get reason() {
    const now = {
      onBattery: this.#battery !== null && !this.#battery.charging,
      metered: Boolean(this.#connection?.saveData || this.#connection?.type === 'cellular'),
      hidden: document.hidden,
    };
    const name = Object.keys(REASONS).find((one) => this.#chosen[one] && now[one]);
    return name === undefined ? '' : REASONS[name];
  }
}
