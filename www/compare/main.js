// @ts-check
// Connects the open files to the chart, its legend and the table of final values.

import '../js/shared/plain-address.js';
import { byId, createElement, setText, typedById } from '../js/shared/dom.js';
import { formatCountOf } from '../js/shared/format.js';
import { FileError, parseRuns, readText } from './csv.js';
import { fetchRun } from './fetch-run.js';
import { FileListView } from './file-list.js';
import { Legend } from './legend.js';
import { formatFraction, formatMeanStd } from './number-text.js';
import { showResults } from './results-table.js';
import { RunChart } from './run-chart.js';
import { RunCollection, WORST } from './run-collection.js';
import { averageCurve, finalValues } from './statistics.js';

/** @typedef {import('./statistics.js').Field} Field */
/** @typedef {import('./run-collection.js').OpenFile} OpenFile */
/** @typedef {import('./run-chart.js').DrawnCurve & { runs: import('./csv.js').Run[] }} SelectedCurve */
/** @typedef {{ x: Field, y: Field, isLog: boolean, attack: string, fraction: number }} Selection */
/** @typedef {{ value: string, text: string }} SelectOption */
/** @typedef {() => Promise<{ name: string, text: string }>} Source */

const OWN_HISTORY = '../api/v1/history.csv';
/** @type {Record<Field, string>} */
const FIELD_NAMES = {
  updates: 'updates',
  seconds: 'seconds',
  accuracy: 'Held-out accuracy',
  loss: 'Held-out loss',
};

const ui = {
  zone: byId('zone'),
  choose: typedById('choose', HTMLInputElement),
  ownHistory: byId('own-history'),
  message: byId('message'),
  errors: byId('errors'),
  shown: byId('shown'),
  logScale: typedById('log-scale', HTMLInputElement),
  attack: typedById('attack', HTMLSelectElement),
  fraction: typedById('fraction', HTMLSelectElement),
  chart: byId('chart'),
  chartEmpty: byId('chart-empty'),
  readout: byId('readout'),
  showAll: typedById('show-all', HTMLButtonElement),
  showNone: typedById('show-none', HTMLButtonElement),
  legend: byId('legend'),
  files: byId('files'),
  results: byId('results'),
  table: typedById('table', HTMLTableElement),
};

const collection = new RunCollection();
const chart = new RunChart(ui.chart, showValuesAt);
const legend = new Legend(ui.legend, (key, shown) => {
  collection.setShown(key, shown);
  showCurves();
});
const fileList = new FileListView(ui.files, {
  onRename: (file, name) => {
    file.name = name;
    showCurves();
  },
  onClose: (file) => {
    collection.remove(file.id);
    setText(ui.message, `Closed ${file.name}.`);
    showAll();
    ui.choose.focus();
  },
});

/**
 * Opens files in sequence, then reports the opened files and the errors of the others.
 * @param {Source[]} sources
 */
async function open(sources) {
  /** @type {string[]} */
  const opened = [];
  /** @type {string[]} */
  const errors = [];
  for (const source of sources) {
    try {
      const { name, text } = await source();
      opened.push(describeFile(collection.add(name.replace(/\.csv$/, ''), parseRuns(text, name))));
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      errors.push(error.message);
    }
  }
  setText(ui.message, opened.length > 0 ? `Opened ${opened.join('; ')}.` : 'No file was opened.');
  ui.errors.replaceChildren(...errors.map((text) => createElement('li', '', text)));
  showAll();
}

/** @param {OpenFile} file */
function describeFile({ name, kind, runs }) {
  if (kind === 'history') return `${name} (${formatCountOf(runs[0].points.length, 'measurement')})`;
  const methods = new Set(runs.map(({ method }) => method)).size;
  return `${name} (${formatCountOf(methods, 'method')}, ${formatCountOf(runs.length, 'run')})`;
}

/** @param {FileList | null | undefined} files */
function openFiles(files) {
  return open([...(files ?? [])].map((file) => async () => ({ name: file.name, text: await readText(file) })));
}

function showAll() {
  fileList.show(collection.files);
  showAttacks();
  showCurves();
}

/** Offers the attacks and fractions in the files, and keeps the selection if it still exists. */
function showAttacks() {
  const attacks = collection.attacks().map((attack) => ({ value: attack, text: attack }));
  const hasAttacks = collection.fractions(WORST).length > 0;
  setOptions(ui.attack, hasAttacks ? [...attacks, { value: WORST, text: 'worst for each method' }] : attacks);
  showFractions();
}

function showFractions() {
  const fractions = collection.fractions(ui.attack.value);
  setOptions(
    ui.fraction,
    fractions.map((fraction) => ({ value: String(fraction), text: formatFraction(fraction) })),
  );
}

/**
 * @param {HTMLSelectElement} select
 * @param {SelectOption[]} options
 */
function setOptions(select, options) {
  const selected = select.value;
  const shown = options.length > 0 ? options : [{ value: '', text: '–' }];
  select.replaceChildren(...shown.map(({ value, text }) => new Option(text, value, false, value === selected)));
  select.disabled = options.length === 0;
}

/** @returns {Selection} */
function selection() {
  return {
    x: checkedRadio('x'),
    y: checkedRadio('y'),
    isLog: ui.logScale.checked,
    attack: ui.attack.value,
    fraction: Number(ui.fraction.value),
  };
}

/**
 * @param {string} name
 * @returns {Field}
 */
function checkedRadio(name) {
  /** @type {HTMLInputElement | null} */
  const radio = document.querySelector(`input[name="${name}"]:checked`);
  return /** @type {Field} */ (radio?.value);
}

/**
 * Returns all curves with their runs under the selection.
 * @param {Selection} selection
 * @returns {SelectedCurve[]}
 */
function selectCurves({ x, y, attack, fraction }) {
  return collection.curves().map((curve) => {
    const selected = collection.runs(curve, attack, fraction);
    const isWorst = attack === WORST && selected.attack !== '';
    const label = isWorst ? `${curve.label}: ${selected.attack}` : curve.label;
    const { runs } = selected;
    return { ...curve, label, runs, seeds: runs.length, ...averageCurve(runs, x, y) };
  });
}

function showCurves() {
  const selected = selection();
  const curves = selectCurves(selected);
  const drawn = curves.filter(({ shown, xs }) => shown && xs.length > 0);
  chart.draw(drawn, selected);
  legend.show(curves);
  showValuesAt(null);
  ui.chartEmpty.hidden = drawn.length > 0;
  setText(ui.chartEmpty, curves.length > 0 ? 'No selected curve has runs under this attack.' : 'Curves appear here.');
  setText(ui.shown, curves.length > 0 ? `${drawn.length} of ${formatCountOf(curves.length, 'curve')}` : '');
  ui.chart.setAttribute('aria-label', describeCurves(drawn, selected));
  for (const button of [ui.showAll, ui.showNone]) button.disabled = curves.length === 0;
  showFinalValues(curves);
}

/** @param {SelectedCurve[]} curves */
function showFinalValues(curves) {
  const fractions = collection.fractions(WORST);
  const rows = curves.map((curve) => ({
    label: curve.label,
    style: curve.style,
    final: finalValues(curve.runs),
    worst: fractions.map((fraction) => collection.worst(curve, fraction)),
  }));
  ui.results.hidden = curves.length === 0;
  showResults(ui.table, rows, fractions);
}

/** @param {number | null} at The x under the cursor. */
function showValuesAt(at) {
  const { x, y } = selection();
  legend.showValues(y, at);
  const unit = x === 'updates' ? 'update' : 'second';
  const near = at === null ? '' : formatCountOf(Math.round(at), unit);
  setText(ui.readout, at === null ? 'Values at the end of each curve.' : `Values measured closest to ${near}.`);
}

/**
 * @param {SelectedCurve[]} curves
 * @param {Selection} selection
 */
function describeCurves(curves, { x, y }) {
  if (curves.length === 0) return 'No curves yet.';
  const ends = curves.map(({ label, values, seeds }) => {
    return `${label} ends at ${formatMeanStd(y, values.at(-1) ?? null, seeds)}`;
  });
  return `${FIELD_NAMES[y]} over ${FIELD_NAMES[x]}. ${ends.join('; ')}.`;
}

/** @param {boolean} shown */
function setAllShown(shown) {
  for (const { key } of collection.curves()) collection.setShown(key, shown);
  showCurves();
}

/** Accepts files dropped anywhere: outside a drop target, the browser would leave the page. */
function acceptDrops() {
  /** @param {DragEvent} event */
  const hasFiles = ({ dataTransfer }) => dataTransfer?.types.includes('Files') ?? false;
  addEventListener('dragover', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    ui.zone.classList.add('over');
  });
  addEventListener('dragleave', ({ relatedTarget }) => {
    if (relatedTarget === null) ui.zone.classList.remove('over');
  });
  addEventListener('drop', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    ui.zone.classList.remove('over');
    openFiles(event.dataTransfer?.files);
  });
}

ui.choose.addEventListener('change', async () => {
  await openFiles(ui.choose.files);
  ui.choose.value = ''; // the same file can be opened again after a correction
});
ui.ownHistory.addEventListener('click', () => open([() => fetchRun(OWN_HISTORY)]));
ui.attack.addEventListener('change', () => {
  showFractions();
  showCurves();
});
ui.fraction.addEventListener('change', showCurves);
ui.logScale.addEventListener('change', showCurves);
for (const radio of document.querySelectorAll('input[type="radio"]')) radio.addEventListener('change', showCurves);
ui.showAll.addEventListener('click', () => setAllShown(true));
ui.showNone.addEventListener('click', () => setAllShown(false));
acceptDrops();
showAll();
const addresses = new URLSearchParams(location.search).getAll('run');
if (addresses.length > 0) open(addresses.map((address) => () => fetchRun(address)));
document.documentElement.dataset.ready = '';
