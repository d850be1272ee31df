// @ts-check
// The texts in the head of the page, which depend on the images of the run.

import { wordsFor } from '../shared/data-words.js';
import { byId, setText } from '../shared/dom.js';

const ui = { title: byId('page-title') };

/**
 * Shows the heading for the images of a run, and returns the title of the document.
 * @param {import('../api/status-client.js').Status | null} status
 */
export function showDataTexts(status) {
  const { goal, noun, verb } = wordsFor(status);
  setText(ui.title, `Teach a machine to ${goal}, together.`);
  return `FAR-SIGN: help train a model that ${verb}s ${noun}`;
}
