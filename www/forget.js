// Forget me: this browser keeps nothing, and the server no name.

import { setText } from './dom.js';
import { note } from './log.js';
import { loadSettings } from './settings.js';
import { dropAll } from './storage.js';

/** Forgets everything; gives the settings that hold from now on. */
export async function forgetEverything({ share, identities, leaderboard }) {
  const told = await leaderboard.leave('');
  share.forget();
  identities.forget();
  dropAll();
  const done = told
    ? 'Done. Nothing is kept here, and your name is off the server.'
    : 'Nothing is kept here. The server could not be told; it forgets names when it restarts.';
  setText('forget-note', done);
  note(done);
  return loadSettings();
}
