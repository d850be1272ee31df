// @ts-check
// The list of open files. Names can be changed, because many files are called curves.csv.

import { createButton, createElement } from '../js/shared/dom.js';

/** @typedef {import('./run-collection.js').OpenFile} OpenFile */
/** @typedef {{ onRename: (file: OpenFile, name: string) => void, onClose: (file: OpenFile) => void }} FileListeners */

const SOURCES = { lab: 'the lab', history: 'a server' };
const MAX_NAME_CHARACTERS = 40;

/** The list of open files. */
export class FileListView {
  #list;
  #listeners;

  /**
   * @param {HTMLElement} list
   * @param {FileListeners} listeners
   */
  constructor(list, listeners) {
    this.#list = list;
    this.#listeners = listeners;
  }

  /** @param {OpenFile[]} files */
  show(files) {
    const rows = files.map((file) => this.#createRow(file));
    this.#list.replaceChildren(...(rows.length > 0 ? rows : [createElement('li', 'caption', 'None yet.')]));
  }

  /** @param {OpenFile} file */
  #createRow(file) {
    const source = `from ${SOURCES[file.kind]}`;
    const row = createElement('li');
    const name = createElement('input');
    Object.assign(name, { type: 'text', value: file.name, maxLength: MAX_NAME_CHARACTERS, spellcheck: false });
    name.setAttribute('aria-label', `Name of the file ${file.name}, ${source}`);
    name.addEventListener('change', () => {
      name.value = name.value.trim() || file.name;
      this.#listeners.onRename(file, name.value);
    });
    const close = createButton('Close');
    close.setAttribute('aria-label', `Close ${file.name}`);
    close.addEventListener('click', () => this.#listeners.onClose(file));
    row.append(name, close, createElement('span', 'caption', source));
    return row;
  }
}
