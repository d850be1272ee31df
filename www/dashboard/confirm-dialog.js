// @ts-check
// The dialog before actions that end sessions.

import { byId, createElement, setText, typedById } from '../js/shared/dom.js';

/** @typedef {{ value: string, label: string }} Choice */

const ui = {
  dialog: typedById('confirm', HTMLDialogElement),
  title: byId('confirm-title'),
  text: byId('confirm-text'),
  buttons: byId('confirm-buttons'),
};

/**
 * Asks for confirmation; returns the chosen value, or `null` if the operator cancels.
 * @param {string} title
 * @param {string} text
 * @param {Choice[]} choices
 * @returns {Promise<string | null>}
 */
export function confirm(title, text, choices) {
  setText(ui.title, title);
  setText(ui.text, text);
  ui.buttons.replaceChildren(...[...choices, { value: '', label: 'Cancel' }].map(createChoice));
  ui.dialog.returnValue = '';
  ui.dialog.showModal();
  return new Promise((resolve) => {
    ui.dialog.addEventListener('close', () => resolve(ui.dialog.returnValue || null), { once: true });
  });
}

/** @param {Choice} choice */
function createChoice({ value, label }) {
  const button = createElement('button', '', label); // a submit button closes the dialog
  button.value = value;
  return button;
}
