// The files that are open, and the curves in them.

import { finalOf } from './average.js';

/** Stands for the attack under which each method ends worst. */
export const WORST = 'worst';
const NO_ATTACK = 'none';
const SHOWN_AT_FIRST = 8; // curves; more on one picture cannot be told apart

/**
 * Files are `{ id, name, kind, runs }`; their names can be changed. A curve is
 * `{ key, file, method, label, style, shown }`: a method of a lab's file, or a history.
 */
export class Collection {
  #files = [];
  #opened = 0;
  #styles = new Map(); // a curve keeps its colour for as long as the page is open
  #hidden = new Set();

  get files() {
    return this.#files;
  }

  /** Takes what a file holds; gives the file. */
  add(name, { kind, runs }) {
    this.#opened += 1;
    const file = { id: this.#opened, name: this.#unused(name), kind, runs };
    this.#files.push(file);
    for (const { key } of this.curves().filter((curve) => curve.file === file)) {
      if (kind === 'lab' && this.#styles.size >= SHOWN_AT_FIRST) this.#hidden.add(key);
      this.#styles.set(key, this.#styles.size);
    }
    return file;
  }

  remove(id) {
    this.#files = this.#files.filter((file) => file.id !== id);
  }

  /** All curves, in the order in which they came. */
  curves() {
    const several = this.#files.filter(({ kind }) => kind === 'lab').length > 1;
    return this.#files.flatMap((file) =>
      [...new Set(file.runs.map(({ method }) => method))].map((method) => {
        const key = `${file.id} ${method}`;
        const label = file.kind === 'history' ? file.name : several ? `${method} (${file.name})` : method;
        return { key, file, method, label, style: this.#styles.get(key) ?? 0, shown: !this.#hidden.has(key) };
      }),
    );
  }

  show(key, shown) {
    if (shown) this.#hidden.delete(key);
    else this.#hidden.add(key);
  }

  /** Attacks in the lab's files; "none" first. */
  attacks() {
    const found = new Set(this.#labRuns().map(({ attack }) => attack));
    return [...found].sort((a, b) => (b === NO_ATTACK) - (a === NO_ATTACK));
  }

  /** Shares of liars from 0 to 1 that an attack was tried with, or any attack was; rising. */
  shares(attack) {
    const matches = (run) => (attack === WORST ? run.attack !== NO_ATTACK : run.attack === attack);
    return [...new Set(this.#labRuns().filter(matches).map(({ share }) => share))].sort((a, b) => a - b);
  }

  /** The runs behind a curve under an attack with a share; a history has the same under any. `attack` says which. */
  runs({ file, method }, attack, share) {
    if (file.kind === 'history') return { attack: '', runs: file.runs };
    const named = attack === WORST ? this.worst({ file, method }, share)?.attack : attack;
    const match = (run) => run.method === method && run.attack === named && run.share === share;
    return { attack: named ?? '', runs: file.runs.filter(match) };
  }

  /** The attack with this share under which a method ends with the lowest accuracy: `{ attack, accuracy }`, or null. */
  worst({ file, method }, share) {
    if (file.kind === 'history') return null;
    const here = file.runs.filter((run) => run.method === method && run.share === share && run.attack !== NO_ATTACK);
    const ends = [...new Set(here.map(({ attack }) => attack))].map((attack) => {
      return { attack, accuracy: finalOf(here.filter((run) => run.attack === attack)).accuracy.mean };
    });
    return ends.sort((a, b) => a.accuracy - b.accuracy)[0] ?? null;
  }

  #labRuns() {
    return this.#files.filter(({ kind }) => kind === 'lab').flatMap(({ runs }) => runs);
  }

  /** Two files may well have the same name, each from a folder of its own. */
  #unused(name) {
    const taken = new Set(this.#files.map((file) => file.name));
    let [unused, number] = [name, 1];
    while (taken.has(unused)) unused = `${name} ${(number += 1)}`;
    return unused;
  }
}
