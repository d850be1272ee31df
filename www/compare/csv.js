// Reads the two kinds of files that runs can be compared from. Neither has quotes or escapes: their fields are numbers
// and names of small letters, digits and hyphens.

const COLUMNS = {
  lab: 'method,attack,share,seed,messages,time_s,accuracy,loss',
  history: 'accepted,elapsed_s,accuracy,loss',
};
const MOST_BYTES = 64_000_000;
const SHOWN_CHARACTERS = 60; // of what was found instead

const WRITERS = `${COLUMNS.lab} (the curves.csv of farsign lab run) or ${COLUMNS.history} (the history of a server)`;

/** A file that is not what it should be. The message is a sentence that names file and line. */
export class BadFile extends Error {}

/**
 * The text of a file that the person opened.
 * Throws BadFile where it is too large or not text.
 */
export async function readText(file) {
  if (file.size > MOST_BYTES) throw misfit(file.name, null, 'at most 64 MB', `${Math.ceil(file.size / 1e6)} MB`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await file.arrayBuffer());
  } catch (error) {
    if (!(error instanceof TypeError)) throw misfit(file.name, null, 'a file that can be read', error.message);
    throw misfit(file.name, null, 'text in UTF-8', 'other bytes');
  }
}

/**
 * The runs of a file: `{ kind, runs }`, with kind "lab" or "history". A run is `{ method, attack, share, seed, points }`,
 * and a history is one run without the first four. A point is `{ messages, seconds, accuracy, loss }`; its loss is null
 * where the model had none that is finite.
 * Throws BadFile at the first line that is not as expected.
 */
export function parseRuns(text, name) {
  const lines = text.split('\n').map((line) => line.replace(/\r$/, ''));
  if (lines.at(-1) === '') lines.pop();
  const kind = Object.keys(COLUMNS).find((kind) => COLUMNS[kind] === lines[0]);
  if (kind === undefined) throw misfit(name, 1, `the columns ${WRITERS}`, quoted(lines[0]));
  if (lines.length === 1) throw misfit(name, 2, 'a line of numbers', 'the end of the file');
  const runs = new Map();
  lines.slice(1).forEach((line, index) => addLine(runs, kind, new Line(line, COLUMNS[kind], name, index + 2)));
  return { kind, runs: [...runs.values()] };
}

function addLine(runs, kind, line) {
  const run = kind === 'lab' ? readCondition(line) : { method: '', attack: '', share: 0, seed: 0 };
  const key = `${run.method} ${run.attack} ${run.share} ${run.seed}`;
  if (!runs.has(key)) runs.set(key, { ...run, points: [] });
  const { points } = runs.get(key);
  const before = points.at(-1);
  points.push({
    messages: line.rising(kind === 'lab' ? 'messages' : 'accepted', before?.messages),
    seconds: line.rising(kind === 'lab' ? 'time_s' : 'elapsed_s', before?.seconds),
    accuracy: line.number('accuracy', 0, 1),
    loss: line.text('loss') === '' ? null : line.number('loss', 0),
  });
}

function readCondition(line) {
  return {
    method: line.name('method'),
    attack: line.name('attack'),
    share: line.number('share', 0, 1),
    seed: line.name('seed'),
  };
}

/** One line of a file, whose fields are asked for by the names of their columns. */
class Line {
  #fields;
  #file;
  #number;

  constructor(text, columns, file, number) {
    const names = columns.split(',');
    const values = text.split(',');
    this.#file = file;
    this.#number = number;
    if (values.length !== names.length) this.#fail(`${names.length} fields`, `${values.length}: ${quoted(text)}`);
    this.#fields = new Map(names.map((name, index) => [name, values[index]]));
  }

  text(column) {
    return this.#fields.get(column);
  }

  name(column) {
    const text = this.text(column);
    if (!/^[a-z0-9-]+$/.test(text)) {
      this.#fail(`as ${column} a name of small letters, digits and hyphens`, quoted(text));
    }
    return text;
  }

  number(column, least, most = Infinity) {
    const text = this.text(column);
    const value = /^[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?$/.test(text) ? Number(text) : NaN;
    if (!(value >= least && value <= most && Number.isFinite(value))) {
      const range = most === Infinity ? `of at least ${least}` : `from ${least} to ${most}`;
      this.#fail(`as ${column} a number ${range}`, quoted(text));
    }
    return value;
  }

  /** A number that is not below the one before in the same run. */
  rising(column, before = 0) {
    return this.number(column, before);
  }

  #fail(expected, found) {
    throw misfit(this.#file, this.#number, expected, found);
  }
}

function misfit(file, line, expected, found) {
  const place = line === null ? file : `${file}, line ${line}`;
  return new BadFile(`${place}: expected ${expected}, found ${found}.`);
}

function quoted(text) {
  if (text === undefined || text === '') return 'nothing';
  return text.length > SHOWN_CHARACTERS ? `“${text.slice(0, SHOWN_CHARACTERS)}…”` : `“${text}”`;
}
