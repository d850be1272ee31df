// The controls for what the page may use: effort, cores, and when to pause by itself.

import { element, make, setText } from './dom.js';
import { formatCount } from './format.js';
import { checked } from './settings.js';

const RESTS = ['onBattery', 'metered', 'hidden'];

export class SettingsForm {
  /** cores: how many may be chosen. onChange(settings) is called with every choice. */
  constructor(settings, cores, onChange) {
    element('cores').replaceChildren(
      ...Array.from({ length: cores }, (_, index) => {
        const option = make('option', '', String(index + 1));
        option.value = String(index + 1);
        return option;
      }),
    );
    element('cores').disabled = cores === 1;
    this.show(settings);
    const changed = () => {
      const chosen = this.#chosen();
      this.#showEffort(chosen);
      onChange(chosen);
    };
    element('effort').addEventListener('input', changed);
    for (const id of ['cores', ...RESTS.map((name) => `rest-${name}`)]) element(id).addEventListener('change', changed);
  }

  /** @param {import('./settings.js').Settings} settings */
  show(settings) {
    element('effort').value = String(Math.round(settings.effort * 100));
    element('cores').value = String(settings.cores);
    for (const name of RESTS) element(`rest-${name}`).checked = settings[name];
    this.#showEffort(settings);
  }

  /** What this browser cannot tell cannot be chosen. */
  showKnown(known) {
    for (const name of RESTS) {
      const box = element(`rest-${name}`);
      box.disabled = !known[name];
      box.parentElement.title = known[name] ? '' : 'This browser does not tell.';
      box.parentElement.classList.toggle('unknown', !known[name]);
    }
  }

  #chosen() {
    const rests = Object.fromEntries(RESTS.map((name) => [name, element(`rest-${name}`).checked]));
    const [effort, cores] = [element('effort').valueAsNumber / 100, Number(element('cores').value)];
    return checked({ effort, cores, ...rests });
  }

  #showEffort({ effort, cores }) {
    const percent = `${formatCount(effort * 100)}\u00a0%`;
    const text = cores === 1 ? `${percent} of a core` : `${percent} of ${cores} cores`;
    setText('effort-text', text);
    element('effort').setAttribute('aria-valuetext', text);
  }
}
