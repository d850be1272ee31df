// @ts-check
// The words for the images of a run. Until the server has reported what they show, and if they are no digits, the page
// speaks of images.

/** @typedef {import('../api/status-client.js').Status} Status */
/** @typedef {{ noun: string, verb: string, done: string }} Words `done` is the past participle of `verb`. */

/** @type {Record<Status['data']['content'], Words>} */
const WORDS = {
  digits: { noun: 'digits', verb: 'read', done: 'read' },
  images: { noun: 'images', verb: 'sort', done: 'sorted' },
};

/**
 * Returns the words for the images of a run, and for what the model does with them.
 * @param {Status | null} status
 */
export const wordsFor = (status) => WORDS[status?.data.content ?? 'images'];
