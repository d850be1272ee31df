// @ts-check
// The controls for resource limits: effort, cores, line budget, and when training pauses automatically.

import { byId, createElement, setNumber, setText, typedById } from '../shared/dom.js';
import { formatBytes, formatCount } from '../shared/format.js';
import { CONDITIONS } from '../worker/pause-conditions.js';
import { LINE_BUDGETS, sanitize } from '../worker/settings.js';

/** @typedef {import('../worker/settings.js').Settings} Settings */
/** @typedef {import('../worker/pause-conditions.js').Condition} Condition */

const BITS_PER_PARAMETER = 2; // of the coded differences between the models of two tasks

const ui = {
  effort: typedById('effort', HTMLInputElement),
  effortText: byId('effort-text'),
  cores: typedById('cores', HTMLSelectElement),
  lineBudget: typedById('line-budget', HTMLSelectElement),
  lineUsed: byId('line-used'),
  summary: byId('usage-summary'),
  /** @type {Record<Condition, HTMLInputElement>} */
  pause: {
    onBattery: typedById('pause-on-battery', HTMLInputElement),
    metered: typedById('pause-on-metered', HTMLInputElement),
    hidden: typedById('pause-when-hidden', HTMLInputElement),
  },
};

/** The form of the settings. */
export class SettingsForm {
  /**
   * @param {Settings} settings
   * @param {number} maxCores
   * @param {(settings: Settings) => void} onChange
   */
  constructor(settings, maxCores, onChange) {
    ui.cores.replaceChildren(
      ...Array.from({ length: maxCores }, (_, index) => {
        const option = createElement('option', '', String(index + 1));
        option.value = String(index + 1);
        return option;
      }),
    );
    ui.cores.disabled = maxCores === 1;
    ui.lineBudget.replaceChildren(
      ...LINE_BUDGETS.map((bytes, index) => {
        const option = createElement('option', '', bytes === null ? 'No limit' : `${formatBytes(bytes)} an hour`);
        option.value = String(index);
        return option;
      }),
    );
    this.show(settings);
    const onInput = () => {
      const chosen = this.#read();
      this.#showEffort(chosen);
      onChange(chosen);
    };
    ui.effort.addEventListener('input', onInput);
    for (const control of [ui.cores, ui.lineBudget, ...Object.values(ui.pause)])
      control.addEventListener('change', onInput);
  }

  /** @param {Settings} settings */
  show(settings) {
    ui.effort.value = String(Math.round(settings.effort * 100));
    ui.cores.value = String(settings.cores);
    ui.lineBudget.value = String(LINE_BUDGETS.indexOf(settings.lineBudget));
    for (const condition of CONDITIONS) ui.pause[condition].checked = settings[condition];
    this.#showEffort(settings);
  }

  /** @param {Record<Condition, boolean>} available Whether this browser exposes each condition. */
  showAvailable(available) {
    for (const condition of CONDITIONS) {
      const box = ui.pause[condition];
      const label = /** @type {HTMLElement} */ (box.parentElement);
      box.disabled = !available[condition];
      label.title = available[condition] ? '' : 'Not available in this browser.';
      label.classList.toggle('unavailable', !available[condition]);
    }
  }

  /**
   * Shows what these settings use.
   * @param {Settings} settings
   * @param {import('../api/status-client.js').Status | null} status
   * @param {import('../worker/line-ledger.js').LineLedger} ledger
   */
  showUsage({ effort, cores, lineBudget }, status, ledger) {
    showUsedLine(lineBudget, ledger);
    const processor = `${formatCount(effort * 100)}\u00a0% of ${cores === 1 ? 'one core' : `${cores} cores`}`;
    setText(
      ui.summary,
      `Nothing runs until you press Start. Then training ${describeTraffic(status)}, ${describeBudget(lineBudget)}, and uses ${processor}.`,
    );
  }

  #read() {
    return sanitize({
      effort: ui.effort.valueAsNumber / 100,
      cores: Number(ui.cores.value),
      lineBudget: LINE_BUDGETS[Number(ui.lineBudget.value)],
      onBattery: ui.pause.onBattery.checked,
      metered: ui.pause.metered.checked,
      hidden: ui.pause.hidden.checked,
    });
  }

  /** @param {Settings} settings */
  #showEffort({ effort, cores }) {
    const percent = `${formatCount(effort * 100)}\u00a0%`;
    const text = cores === 1 ? `${percent} of a core` : `${percent} of ${cores} cores`;
    setText(ui.effortText, text);
    ui.effort.setAttribute('aria-valuetext', text);
  }
}

/**
 * Shows the bytes of the last hour beside the budget.
 * @param {number | null} lineBudget
 * @param {import('../worker/line-ledger.js').LineLedger} ledger
 */
function showUsedLine(lineBudget, ledger) {
  const used = ledger.used();
  const whose = ledger.isShared ? '' : '; this tab only, because the browser stores nothing';
  setNumber(ui.lineUsed, used, `${formatBytes(used)} used in the last hour${whose}`);
  ui.lineUsed.classList.toggle('is-used-up', lineBudget !== null && used >= lineBudget);
}

/** @param {number | null} lineBudget */
function describeBudget(lineBudget) {
  if (lineBudget === null) return 'without a limit on the total';
  return `in all tabs together at most ${formatBytes(lineBudget)} an hour, this page included`;
}

/**
 * Describes what travels after Start: the training images once, then models and updates.
 * @param {import('../api/status-client.js').Status | null} status
 */
function describeTraffic(status) {
  if (status === null) return 'downloads the training images, receives models and sends updates';
  const { data, model } = status;
  const images = formatBytes(data.download_bytes);
  const received = formatBytes((model.parameters * BITS_PER_PARAMETER) / 8);
  const sent = formatBytes(model.parameters / 8);
  return `downloads up to ${images} of training images, receives about ${received} and sends up to ${sent} per update`;
}
