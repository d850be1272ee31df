// @ts-check
// "Delete my data": removes everything stored in this browser, and the name on the server.

import { byId, setText } from '../shared/dom.js';
import { log } from '../shared/event-log.js';
import { local, session } from '../shared/storage.js';
import { loadSettings } from '../worker/settings.js';

const note = byId('clear-note');

/**
 * Deletes all data and returns the settings that apply from now on.
 * @param {{ stats: import('./contribution-stats.js').ContributionStats,
 *   keys: import('../api/volunteer-keys.js').VolunteerKeys,
 *   leaderboard: import('./leaderboard.js').Leaderboard }} parts
 */
export async function clearData({ stats, keys, leaderboard }) {
  const isRemoved = await leaderboard.leave('');
  stats.clear();
  keys.reset();
  local.clear();
  session.clear();
  const result = isRemoved
    ? 'Done. All data in this browser is deleted, and your name is removed from the server.'
    : 'The data in this browser is deleted. The server could not be reached; it drops names when it restarts.';
  setText(note, result);
  log(result);
  return loadSettings();
}
