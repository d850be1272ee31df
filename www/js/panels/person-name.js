// @ts-check
// The rule for names on the leaderboard. The server applies the same rule: server/src/http/leaderboard/name.rs.

const MAX_CHARACTERS = 20; // without marks and joiners
const MAX_MARKS = 5; // after one letter

const PUNCTUATION = new Set(" _-.'\u2018\u2019\u00b7\u058a\u05f3\u05f4\u0f0b\u2010\u2011\u2027\u30a0\u30fb");
const INVISIBLE = /^[\p{Default_Ignorable_Code_Point}\p{Me}]$/u;
const MARK = /^\p{M}$/u;
const LETTER = /^[\p{Alphabetic}\p{N}]$/u;
const JOINER = /^[\u200c\u200d]$/;
const JOINABLE = /^[\u0600-\u0dff]$/; // Arabic, its neighbours and the Indic scripts
const VIRAMA = /^[\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d3b\u0d3c\u0d4d\u0dca]$/;

/**
 * Returns the name as the server stores it: marks are composed with their letters, and words have single spaces between
 * them.
 * @param {string} input
 */
export function normalizeName(input) {
  return input
    .normalize('NFC')
    .replace(/\p{White_Space}+/gu, ' ')
    .replace(/^ | $/g, '');
}

/**
 * Returns what is wrong with a normalized name, as a sentence; '' if nothing is.
 * @param {string} name
 */
export function nameProblem(name) {
  const characters = [...name];
  const counted = characters.filter((character) => !['mark', 'joiner'].includes(partOf(character) ?? ''));
  if (name === '') return 'Please enter a name.';
  if (counted.length > MAX_CHARACTERS) return `Please use at most ${MAX_CHARACTERS} characters.`;
  const invalid = findInvalid(characters);
  if (invalid === null) return '';
  const isHidden = INVISIBLE.test(invalid) || /^\p{C}$/u.test(invalid);
  return `Please use letters, digits, spaces, hyphens, dots and apostrophes${isHidden ? '' : `, not “${invalid}”`}.`;
}

/**
 * Returns the part of a character in a name; `null` if names must not contain it.
 * @param {string} character
 */
function partOf(character) {
  if (JOINER.test(character)) return 'joiner';
  if (PUNCTUATION.has(character)) return 'punctuation';
  if (INVISIBLE.test(character)) return null;
  if (MARK.test(character)) return 'mark';
  return LETTER.test(character) ? 'letter' : null;
}

/**
 * Returns the first character that is not allowed in its place, or `null`.
 * @param {string[]} characters
 */
function findInvalid(characters) {
  let letter = ''; // that marks and joiners belong to
  let marks = 0;
  for (const [index, character] of characters.entries()) {
    const part = partOf(character);
    const previous = characters[index - 1] ?? '';
    if (part === 'letter') {
      letter = character;
      marks = 0;
    } else if (part === 'punctuation') {
      letter = '';
    } else if (part === 'mark' && letter !== '' && marks < MAX_MARKS) {
      marks += 1;
    } else if (part !== 'joiner' || !joins(letter, previous, characters[index + 1] ?? '')) {
      return character;
    }
  }
  return null;
}

/**
 * Returns whether a joiner may stand between these characters, in the cluster of `letter`.
 * @param {string} letter
 * @param {string} previous
 * @param {string} next
 */
function joins(letter, previous, next) {
  const isFollowed = JOINABLE.test(next) && ['letter', 'mark'].includes(partOf(next) ?? '');
  return JOINABLE.test(letter) && !JOINER.test(previous) && (VIRAMA.test(previous) || isFollowed);
}
