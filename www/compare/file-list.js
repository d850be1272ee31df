// The files that are open, each with a name that can be changed: many a file is called curves.csv.

import { make } from '../dom.js';

const KINDS = { lab: 'the lab', history: 'a server' };

export class FileList {
  #list;
  #actions;

  /** `onRename` is told a file and its new name, `onClose` a file. */
  constructor(list, actions) {
    this.#list = list;
    this.#actions = actions;
  }

  show(files) {
    const rows = files.map((file) => this.#row(file));
    this.#list.replaceChildren(...(rows.length > 0 ? rows : [make('li', 'caption', 'None yet.')]));
  }

  #row(file) {
    const row = make('li');
    const name = make('input');
    Object.assign(name, { type: 'text', value: file.name, maxLength: 40, spellcheck: false });
    name.setAttribute('aria-label', `Name of the file ${file.name}, from ${KINDS[file.kind]}`);
    name.addEventListener('change', () => {
      const wanted = name.value.trim();
      name.value = wanted === '' ? file.name : wanted;
      this.#actions.onRename(file, name.value);
    });
    const close = make('button', '', 'Close');
    close.type = 'button';
    close.setAttribute('aria-label', `Close ${file.name}`);
    close.addEventListener('click', () => this.#actions.onClose(file));
    row.append(name, close, make('span', 'caption', `from ${KINDS[file.kind]}`));
    return row;
  }
}
