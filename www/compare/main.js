// Wires the page together: files on one side, the chart, its legend and the table on the other.

import { element, make, setText } from '../dom.js';
import { formatCountOf } from '../format.js';
import { averageCurve, finalOf } from './average.js';
import { Collection, WORST } from './collection.js';
import { BadFile, parseRuns, readText } from './csv.js';
import { FileList } from './file-list.js';
import { Legend } from './legend.js';
import { fetchRun } from './linked.js';
import { Overlay } from './overlay.js';
import { showTable } from './table.js';
import { formatShare, formatSpread } from './text.js';

const OWN_HISTORY = '../api/v1/history.csv';
const AXES_IN_WORDS = { messages: 'messages', seconds: 'seconds', accuracy: 'Held-out accuracy', loss: 'Held-out loss' };

const collection = new Collection();
const overlay = new Overlay(element('chart'), showValuesAt);
const legend = new Legend(element('legend'), (key, shown) => {
  collection.show(key, shown);
  showCurves();
});
const fileList = new FileList(element('files'), {
  onRename: (file, name) => {
    file.name = name;
    showCurves();
  },
  onClose: (file) => {
    collection.remove(file.id);
    setText('said', `Closed ${file.name}.`);
    showAll();
    element('choose').focus();
  },
});

/** Opens files one after the other, and says at the end which could be read and what is wrong with the others. */
async function open(sources) {
  const said = [];
  const mistakes = [];
  for (const source of sources) {
    try {
      const { name, text } = await source();
      said.push(describe(collection.add(name.replace(/\.csv$/, ''), parseRuns(text, name))));
    } catch (error) {
      if (!(error instanceof BadFile)) throw error;
      mistakes.push(error.message);
    }
  }
  setText('said', said.length > 0 ? `Opened ${said.join('; ')}.` : 'Nothing was opened.');
  element('mistakes').replaceChildren(...mistakes.map((text) => make('li', '', text)));
  showAll();
}

function describe({ name, kind, runs }) {
  if (kind === 'history') return `${name} (${formatCountOf(runs[0].points.length, 'measurement')})`;
  const methods = new Set(runs.map(({ method }) => method)).size;
  return `${name} (${formatCountOf(methods, 'method')}, ${formatCountOf(runs.length, 'run')})`;
}

const openFiles = (files) =>
  open([...files].map((file) => async () => ({ name: file.name, text: await readText(file) })));

function showAll() {
  fileList.show(collection.files);
  showConditions();
  showCurves();
}

/** Offers the attacks and shares that the files have, and keeps what was chosen where it is still there. */
function showConditions() {
  const attacks = collection.attacks();
  const worst = collection.shares(WORST).length > 0 ? [[WORST, 'the worst for each method']] : [];
  offer('attack', [...attacks.map((attack) => [attack, attack]), ...worst]);
  showShares();
}

function showShares() {
  offer('share', collection.shares(element('attack').value).map((share) => [`${share}`, formatShare(share)]));
}

function offer(id, options) {
  const select = element(id);
  const before = select.value;
  const shown = options.length > 0 ? options : [['', '–']];
  select.replaceChildren(...shown.map(([value, text]) => new Option(text, value, false, value === before)));
  select.disabled = options.length === 0;
}

function chosen() {
  const radio = (name) => document.querySelector(`input[name="${name}"]:checked`).value;
  return {
    x: radio('x'),
    y: radio('y'),
    isLog: element('log').checked,
    attack: element('attack').value,
    share: Number(element('share').value),
  };
}

/** Curves with what they are drawn from under what is chosen. */
function curvesNow({ x, y, attack, share }) {
  return collection.curves().map((curve) => {
    const { attack: under, runs } = collection.runs(curve, attack, share);
    const label = attack === WORST && under !== '' ? `${curve.label}: ${under}` : curve.label;
    return { ...curve, label, runs, seeds: runs.length, ...averageCurve(runs, x, y) };
  });
}

function showCurves() {
  const choice = chosen();
  const { x, y } = choice;
  const curves = curvesNow(choice);
  const drawn = curves.filter(({ shown, xs }) => shown && xs.length > 0);
  overlay.draw(drawn, choice);
  legend.show(curves);
  showValuesAt(null);
  element('chart-empty').hidden = drawn.length > 0;
  setText('chart-empty', curves.length > 0 ? 'No curve is chosen that was tried under this.' : 'Curves appear here.');
  setText('shown', curves.length > 0 ? `${drawn.length} of ${formatCountOf(curves.length, 'curve')}` : '');
  element('chart').setAttribute('aria-label', inWords(drawn, x, y));
  for (const id of ['show-all', 'show-none']) element(id).disabled = curves.length === 0;
  showEnds(curves);
}

function showEnds(curves) {
  const shares = collection.shares(WORST);
  const rows = curves.map((curve) => ({
    label: curve.label,
    style: curve.style,
    final: finalOf(curve.runs),
    worst: shares.map((share) => collection.worst(curve, share)),
  }));
  element('ends').hidden = curves.length === 0;
  showTable(element('table'), rows, shares);
}

function showValuesAt(at) {
  const { x, y } = chosen();
  legend.showValues(y, at);
  const where = x === 'messages' ? formatCountOf(Math.round(at), 'message') : formatCountOf(Math.round(at), 'second');
  setText('readout', at === null ? 'Values at the end of each curve.' : `Values measured closest to ${where}.`);
}

function inWords(drawn, x, y) {
  if (drawn.length === 0) return 'No curves yet.';
  const ends = drawn.map(({ label, spreads, seeds }) => `${label} ends at ${formatSpread(y, spreads.at(-1), seeds)}`);
  return `${AXES_IN_WORDS[y]} against ${AXES_IN_WORDS[x]}. ${ends.join('; ')}.`;
}

function showOrHideAll(shown) {
  collection.curves().forEach(({ key }) => collection.show(key, shown));
  showCurves();
}

/** Takes files that are dropped anywhere on the page: missing the zone would make the browser leave the page. */
function takeDrops() {
  const zone = element('zone');
  const withFiles = ({ dataTransfer }) => dataTransfer?.types.includes('Files');
  addEventListener('dragover', (event) => {
    if (!withFiles(event)) return;
    event.preventDefault();
    zone.classList.add('over');
  });
  addEventListener('dragleave', ({ relatedTarget }) => relatedTarget ?? zone.classList.remove('over'));
  addEventListener('drop', (event) => {
    if (!withFiles(event)) return;
    event.preventDefault();
    zone.classList.remove('over');
    openFiles(event.dataTransfer.files);
  });
}

element('choose').addEventListener('change', async ({ target }) => {
  await openFiles(target.files);
  target.value = ''; // or the same file could not be opened again after it was mended
});
element('own').addEventListener('click', () => open([() => fetchRun(OWN_HISTORY)]));
element('attack').addEventListener('change', () => {
  showShares();
  showCurves();
});
['share', 'log'].forEach((id) => element(id).addEventListener('change', showCurves));
document.querySelectorAll('input[type="radio"]').forEach((radio) => radio.addEventListener('change', showCurves));
element('show-all').addEventListener('click', () => showOrHideAll(true));
element('show-none').addEventListener('click', () => showOrHideAll(false));
takeDrops();
showAll();
const linked = new URLSearchParams(location.search).getAll('run');
if (linked.length > 0) open(linked.map((address) => () => fetchRun(address)));
document.documentElement.dataset.ready = '';
