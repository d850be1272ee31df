// Files that a link to this page names: `?run=/api/v1/history.csv`, any number of times.

import { BadFile } from './csv.js';

/**
 * Fetches the file at an address of this server: `{ name, text }`.
 * Throws BadFile where the address is of another server, or nothing comes from it.
 */
export async function fetchRun(address) {
  const url = URL.canParse(address, location.href) ? new URL(address, location.href) : null;
  if (url?.origin !== location.origin) {
    throw new BadFile(`${address}: expected an address of ${location.origin}, found another.`);
  }
  const name = url.pathname.split('/').at(-1) || url.pathname;
  try {
    const response = await fetch(url);
    if (!response.ok) throw new BadFile(`${address}: expected a file, found the answer ${response.status}.`);
    return { name, text: await response.text() };
  } catch (error) {
    if (error instanceof BadFile) throw error;
    throw new BadFile(`${address}: expected a file, found that the server cannot be reached.`);
  }
}
