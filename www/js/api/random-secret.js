// @ts-check
// Random secrets of 16 bytes, and their hexadecimal form.

const BYTES = 16;

/** Creates a random secret. */
export const createSecret = () => crypto.getRandomValues(new Uint8Array(BYTES));

/**
 * Returns two hexadecimal digits for each byte.
 * @param {Uint8Array} bytes
 */
export const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

/**
 * Parses a secret of 32 hexadecimal digits; returns `null` if the text is not one.
 * @param {string | null} text
 */
export function fromHex(text) {
  if (text === null || !/^[0-9a-f]{32}$/.test(text)) return null;
  return Uint8Array.from({ length: BYTES }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}
