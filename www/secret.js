// Secrets: 16 random bytes, and how they are written down.

const BYTES = 16;

/** A secret that nobody has had before, as a Uint8Array. */
export const newSecret = () => crypto.getRandomValues(new Uint8Array(BYTES));

/** 32 hexadecimal digits. */
export const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

/** The secret with these digits, or null where they are none. */
export function fromHex(text) {
  if (!/^[0-9a-f]{32}$/.test(text ?? '')) return null;
  return Uint8Array.from({ length: BYTES }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}
