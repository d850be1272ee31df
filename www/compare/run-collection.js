// @ts-check
// The open files, and the curves in them.

import { finalValues } from './statistics.js';

/** Selects the attack under which each method has the lowest final accuracy. */
export const WORST = 'worst';
const NO_ATTACK = 'none';
const INITIAL_CURVES = 8; // more curves in one chart are hard to distinguish

/** @typedef {import('./csv.js').Run} Run */
/** @typedef {import('./csv.js').Kind} Kind */
/** @typedef {{ id: number, name: string, kind: Kind, runs: Run[] }} OpenFile The name can be changed. */
/** @typedef {{ file: OpenFile, method: string }} CurveId A method of a lab file, or a history. */
/** @typedef {CurveId & { key: string, label: string, style: number, shown: boolean }} CurveInfo */
/** @typedef {{ attack: string, accuracy: number }} WorstCase */

/** A collection of open files. */
export class RunCollection {
  /** @type {OpenFile[]} */
  #files = [];
  #opened = 0;
  /** @type {Map<string, number>} A curve keeps its style while the page is open. */
  #styles = new Map();
  /** @type {Set<string>} */
  #hidden = new Set();

  get files() {
    return this.#files;
  }

  /**
   * Adds a file under an unused name.
   * @param {string} name
   * @param {{ kind: Kind, runs: Run[] }} content
   */
  add(name, { kind, runs }) {
    this.#opened += 1;
    const file = { id: this.#opened, name: this.#unusedName(name), kind, runs };
    this.#files.push(file);
    for (const { key } of this.curves().filter((curve) => curve.file === file)) {
      if (kind === 'lab' && this.#styles.size >= INITIAL_CURVES) this.#hidden.add(key);
      this.#styles.set(key, this.#styles.size);
    }
    return file;
  }

  /** @param {number} id */
  remove(id) {
    this.#files = this.#files.filter((file) => file.id !== id);
  }

  /**
   * Returns all curves in the order of their files.
   * @returns {CurveInfo[]}
   */
  curves() {
    const hasSeveral = this.#files.filter(({ kind }) => kind === 'lab').length > 1;
    return this.#files.flatMap((file) =>
      [...new Set(file.runs.map(({ method }) => method))].map((method) => {
        const key = `${file.id} ${method}`;
        const ofLab = hasSeveral ? `${method} (${file.name})` : method;
        const label = file.kind === 'history' ? file.name : ofLab;
        return { key, file, method, label, style: this.#styles.get(key) ?? 0, shown: !this.#hidden.has(key) };
      }),
    );
  }

  /**
   * @param {string} key
   * @param {boolean} shown
   */
  setShown(key, shown) {
    if (shown) this.#hidden.delete(key);
    else this.#hidden.add(key);
  }

  /** Returns the attacks in the lab's files; "none" is first. */
  attacks() {
    const found = new Set(this.#labRuns().map(({ attack }) => attack));
    return [...found].sort((a, b) => Number(b === NO_ATTACK) - Number(a === NO_ATTACK));
  }

  /**
   * Returns the Byzantine fractions of the runs under an attack, in rising order.
   * @param {string} attack
   */
  fractions(attack) {
    /** @param {Run} run */
    const matches = (run) => (attack === WORST ? run.attack !== NO_ATTACK : run.attack === attack);
    const found = new Set(
      this.#labRuns()
        .filter(matches)
        .map(({ byzantineFraction }) => byzantineFraction),
    );
    return [...found].sort((a, b) => a - b);
  }

  /**
   * Returns the runs behind a curve under an attack, and the name of the attack. A history has the same run under any.
   * @param {CurveId} curve
   * @param {string} attack
   * @param {number} fraction
   */
  runs({ file, method }, attack, fraction) {
    if (file.kind === 'history') return { attack: '', runs: file.runs };
    const name = attack === WORST ? this.worst({ file, method }, fraction)?.attack : attack;
    const runs = file.runs.filter((run) => {
      return run.method === method && run.attack === name && run.byzantineFraction === fraction;
    });
    return { attack: name ?? '', runs };
  }

  /**
   * Returns the attack under which a method has the lowest final accuracy, or `null` if it has no attacked run.
   * @param {CurveId} curve
   * @param {number} fraction
   * @returns {WorstCase | null}
   */
  worst({ file, method }, fraction) {
    if (file.kind === 'history') return null;
    const attacked = file.runs.filter((run) => {
      return run.method === method && run.byzantineFraction === fraction && run.attack !== NO_ATTACK;
    });
    const cases = [...new Set(attacked.map(({ attack }) => attack))].map((attack) => {
      const final = finalValues(attacked.filter((run) => run.attack === attack));
      return { attack, accuracy: final?.accuracy?.mean ?? Number.NaN };
    });
    return cases.sort((a, b) => a.accuracy - b.accuracy)[0] ?? null;
  }

  #labRuns() {
    return this.#files.filter(({ kind }) => kind === 'lab').flatMap(({ runs }) => runs);
  }

  /**
   * Returns the name with a number if it is in use: files of different folders often share a name.
   * @param {string} name
   */
  #unusedName(name) {
    const used = new Set(this.#files.map((file) => file.name));
    let unused = name;
    for (let number = 2; used.has(unused); number += 1) unused = `${name} ${number}`;
    return unused;
  }
}
