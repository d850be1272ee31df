// @ts-check
// The words for the images of a run. Until the server has reported what they show, and if they are no digits, the page
// speaks of images.

/** @typedef {import('../api/status-client.js').Status} Status */
/**
 * `goal` fits on as many lines of the heading for any images; `done` is the past participle of `verb`.
 * @typedef {{ goal: string, noun: string, verb: string, done: string }} Words
 */

/** @type {Record<Status['data']['content'], Words>} */
const WORDS = {
  digits: { goal: 'read digits', noun: 'digits', verb: 'read', done: 'read' },
  images: { goal: 'see', noun: 'images', verb: 'sort', done: 'sorted' },
};

/**
 * Returns the words for the images of a run, and for what the model does with them.
 * @param {Status | null} status
 */
export const wordsFor = (status) => WORDS[status?.data.content ?? 'images'];
