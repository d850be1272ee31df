// @ts-check
// Parses the two kinds of files that can be compared. Neither has quotes or escapes: the fields are numbers, and names of
// lower-case letters, digits and hyphens.

/** @typedef {'lab' | 'history'} Kind */
/** @typedef {{ updates: number, seconds: number, accuracy: number, loss: number | null }} Point */
/** @typedef {{ method: string, attack: string, byzantineFraction: number, seed: string }} RunCondition */
/** @typedef {RunCondition & { points: Point[] }} Run The loss is `null` if it was not finite. */

/** @type {Record<Kind, string>} */
const COLUMNS = {
  lab: 'method,attack,byzantine_fraction,seed,updates,time_s,accuracy,loss',
  history: 'accepted,elapsed_s,accuracy,loss',
};
const KINDS = /** @type {Kind[]} */ (Object.keys(COLUMNS));
/** @type {RunCondition} */
const NO_CONDITION = { method: '', attack: '', byzantineFraction: 0, seed: '' };
const MAX_BYTES = 64_000_000;
const MAX_QUOTED_CHARACTERS = 60;

const EXPECTED_COLUMNS = `${COLUMNS.lab} (the curves.csv of farsign lab run) or ${COLUMNS.history} (the history of a server)`;

/** An invalid file. The message is a sentence with the file and the line. */
export class FileError extends Error {}

/**
 * Reads the text of a file, and throws a FileError if it is too large or not text.
 * @param {File} file
 */
export async function readText(file) {
  if (file.size > MAX_BYTES) throw fileError(file.name, null, 'at most 64 MB', `${Math.ceil(file.size / 1e6)} MB`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await file.arrayBuffer());
  } catch (error) {
    if (error instanceof TypeError) throw fileError(file.name, null, 'text in UTF-8', 'other bytes');
    throw fileError(file.name, null, 'a readable file', error instanceof Error ? error.message : String(error));
  }
}

/**
 * Parses the runs of a file, and throws a FileError at the first invalid line. A history is one run without a condition.
 * @param {string} text
 * @param {string} name
 * @returns {{ kind: Kind, runs: Run[] }}
 */
export function parseRuns(text, name) {
  const lines = text.split('\n').map((line) => line.replace(/\r$/, ''));
  if (lines.at(-1) === '') lines.pop();
  const kind = KINDS.find((candidate) => COLUMNS[candidate] === lines[0]);
  if (kind === undefined) throw fileError(name, 1, `the columns ${EXPECTED_COLUMNS}`, quote(lines[0]));
  if (lines.length === 1) throw fileError(name, 2, 'a line of numbers', 'the end of the file');
  /** @type {Map<string, Run>} */
  const runs = new Map();
  lines.slice(1).forEach((line, index) => {
    addLine(runs, kind, new Line(line, COLUMNS[kind], name, index + 2));
  });
  return { kind, runs: [...runs.values()] };
}

/**
 * @param {Map<string, Run>} runs
 * @param {Kind} kind
 * @param {Line} line
 */
function addLine(runs, kind, line) {
  const condition = kind === 'lab' ? parseCondition(line) : NO_CONDITION;
  const key = Object.values(condition).join(' ');
  const run = runs.get(key) ?? { ...condition, points: [] };
  runs.set(key, run);
  const last = run.points.at(-1);
  run.points.push({
    updates: line.number(kind === 'lab' ? 'updates' : 'accepted', last?.updates ?? 0),
    seconds: line.number(kind === 'lab' ? 'time_s' : 'elapsed_s', last?.seconds ?? 0),
    accuracy: line.number('accuracy', 0, 1),
    loss: line.text('loss') === '' ? null : line.number('loss', 0),
  });
}

/**
 * @param {Line} line
 * @returns {RunCondition}
 */
function parseCondition(line) {
  return {
    method: line.name('method'),
    attack: line.name('attack'),
    byzantineFraction: line.number('byzantine_fraction', 0, 1),
    seed: line.name('seed'),
  };
}

/** A line of a file with fields by column. */
class Line {
  #fields;
  #file;
  #number;

  /**
   * @param {string} text
   * @param {string} columns
   * @param {string} file
   * @param {number} number
   */
  constructor(text, columns, file, number) {
    const names = columns.split(',');
    const values = text.split(',');
    this.#file = file;
    this.#number = number;
    if (values.length !== names.length) throw this.#error(`${names.length} fields`, `${values.length}: ${quote(text)}`);
    this.#fields = new Map(names.map((name, index) => [name, values[index]]));
  }

  /** @param {string} column */
  text(column) {
    return this.#fields.get(column) ?? '';
  }

  /** @param {string} column */
  name(column) {
    const text = this.text(column);
    if (!/^[a-z0-9-]+$/.test(text)) {
      throw this.#error(`a ${column} of lower-case letters, digits and hyphens`, quote(text));
    }
    return text;
  }

  /**
   * @param {string} column
   * @param {number} min
   * @param {number} [max]
   */
  number(column, min, max = Number.POSITIVE_INFINITY) {
    const text = this.text(column);
    const value = /^[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max && Number.isFinite(value))) {
      const range = max === Number.POSITIVE_INFINITY ? `of at least ${min}` : `from ${min} to ${max}`;
      throw this.#error(`${column} ${range}`, quote(text));
    }
    return value;
  }

  /**
   * @param {string} expected
   * @param {string} found
   */
  #error(expected, found) {
    return fileError(this.#file, this.#number, expected, found);
  }
}

/**
 * @param {string} file
 * @param {number | null} line
 * @param {string} expected
 * @param {string} found
 */
function fileError(file, line, expected, found) {
  const place = line === null ? file : `${file}, line ${line}`;
  return new FileError(`${place}: expected ${expected}, found ${found}.`);
}

/** @param {string | undefined} text */
function quote(text) {
  if (text === undefined || text === '') return 'nothing';
  return text.length > MAX_QUOTED_CHARACTERS ? `“${text.slice(0, MAX_QUOTED_CHARACTERS)}…”` : `“${text}”`;
}
