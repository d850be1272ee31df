// @ts-check
// Files in the link to this page: `?run=/api/v1/history.csv`, any number of times.

import { FileError } from './csv.js';

/**
 * Fetches a file of this server; throws a FileError if the address is of another server or the fetch fails.
 * @param {string} address
 */
export async function fetchRun(address) {
  const url = URL.canParse(address, location.href) ? new URL(address, location.href) : null;
  if (url?.origin !== location.origin) {
    throw new FileError(`${address}: expected an address of ${location.origin}, found another.`);
  }
  const name = url.pathname.split('/').at(-1) || url.pathname;
  const response = await fetch(url).catch(() => null);
  if (response === null) throw new FileError(`${address}: expected a file, found that the server is unreachable.`);
  if (!response.ok) throw new FileError(`${address}: expected a file, found error ${response.status}.`);
  return { name, text: await response.text() };
}
