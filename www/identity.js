// The secret that makes this tab the same volunteer after a reload: 16 random bytes that the browser keeps.
//
// A secret has one session at a time, and every tab is a volunteer of its own. So the browser keeps several, and a tab
// holds a lock on the one it uses until it is gone. Locks exist only on pages that came over TLS or from this machine;
// elsewhere a tab keeps a secret of its own, for as long as it is open.

const NAME = 'farsign-secret';
const BYTES = 16;
const MOST_TABS = 32; // further ones keep their own secrets, too

/** A secret nobody else in this browser uses, as a Uint8Array. */
export async function claimSecret() {
  for (let n = 0; navigator.locks && n < MOST_TABS; n += 1) {
    const name = `${NAME}-${n}`;
    if (await hold(name)) return kept(() => localStorage, name);
  }
  return kept(() => sessionStorage, NAME);
}

/** Whether the lock was free; it is held from then on. */
function hold(name) {
  return new Promise((resolve) => {
    const taken = (lock) => {
      resolve(lock !== null);
      return lock === null ? null : new Promise(() => {});
    };
    navigator.locks.request(name, { ifAvailable: true }, taken).catch(() => resolve(false));
  });
}

/** The secret in a storage, made where there is none. A browser may forbid to keep anything. */
function kept(storage, name) {
  try {
    const found = fromHex(storage().getItem(name));
    if (found !== null) return found;
    const made = crypto.getRandomValues(new Uint8Array(BYTES));
    storage().setItem(name, toHex(made));
    return made;
  } catch {
    return crypto.getRandomValues(new Uint8Array(BYTES));
  }
}

function toHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function fromHex(text) {
  if (!/^[0-9a-f]{32}$/.test(text ?? '')) return null;
  return Uint8Array.from({ length: BYTES }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}
