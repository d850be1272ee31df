// A question before something that cannot be taken back.

import { element, make, setText } from '../dom.js';

/** answers: [value, label] pairs. Gives the value that was chosen, or null. */
export function ask(title, text, answers) {
  setText('ask-title', title);
  setText('ask-text', text);
  const button = ([value, label]) => {
    const made = make('button', '', label);
    made.value = value;
    return made;
  };
  element('ask-buttons').replaceChildren(...[...answers, ['', 'Cancel']].map(button));
  const dialog = element('ask');
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue || null), { once: true });
  });
}
