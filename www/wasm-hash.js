// Which code this page runs: the version it says, and the hash of what was downloaded.

import { setText } from './dom.js';
import { toHex } from './secret.js';

const CODE = './pkg/farsign_worker_bg.wasm';

/** The SHA-256 of the training code. Browsers compute it only on pages that came over TLS or from this machine. */
export async function showHash() {
  if (!globalThis.crypto?.subtle) return setText('wasm-hash', 'computed on secure pages only');
  try {
    const response = await fetch(new URL(CODE, import.meta.url));
    const hash = await crypto.subtle.digest('SHA-256', await response.arrayBuffer());
    setText('wasm-hash', toHex(new Uint8Array(hash)));
  } catch {
    setText('wasm-hash', 'not known: the server does not answer');
  }
}

/** @param {string} version */
export function showVersion(version) {
  setText('version', `farsign-browser ${version}`);
}
