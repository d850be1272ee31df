// @ts-check
// The details of the page: the version and hash of the training code, and facts about the run.

import { toHex } from '../api/random-secret.js';
import { byId, setText, typedById } from '../shared/dom.js';
import { formatBytes, formatCount } from '../shared/format.js';

const WASM_URL = new URL('../../pkg/farsign_worker_bg.wasm', import.meta.url);

const ui = {
  details: typedById('details', HTMLDetailsElement),
  version: byId('version'),
  hash: byId('wasm-hash'),
  whatIsSent: byId('what-is-sent'),
  facts: byId('facts'),
};
ui.details.addEventListener('toggle', () => {
  if (ui.details.open) showHash();
});

/** @param {string} version */
export function showVersion(version) {
  setText(ui.version, `farsign-browser ${version}`);
}

/** @param {import('../api/status-client.js').Status} status */
export function showFacts({ model, data, run, traffic }) {
  setText(ui.whatIsSent, run.order === 'zeroth' ? 'one bit per direction tried' : 'one bit per number');
  const facts = [
    `Model ${model.name}, ${formatCount(model.parameters)} parameters`,
    `Data ${data.name}`,
    `Run ${run.id.slice(0, 8)}`,
    `Server received ${formatBytes(traffic.received_bytes)}, sent ${formatBytes(traffic.sent_bytes)}`,
  ];
  setText(ui.facts, facts.join(' · '));
}

/** Shows the SHA-256 of the training code. Browsers can compute it only in a secure context. */
async function showHash() {
  if (!globalThis.crypto?.subtle) {
    setText(ui.hash, 'available on secure pages only');
    return;
  }
  try {
    const response = await fetch(WASM_URL);
    const hash = await crypto.subtle.digest('SHA-256', await response.arrayBuffer());
    setText(ui.hash, toHex(new Uint8Array(hash)));
  } catch {
    setText(ui.hash, 'unknown: the server does not respond');
  }
}
