// How curves are told apart: seven colours of Okabe and Ito, and four kinds of lines. As seven and four have no divisor in
// common, 28 curves differ in one or the other, and neighbours in both.

const COLOURS = 7;
const DASHES = [[], [9, 4], [3, 4], [12, 4, 3, 4]];

/** The custom property in compare.css that has the colour of this style. */
export function colourOf(style) {
  return `curve-${style % COLOURS}`;
}

/** Lengths of strokes and gaps in pixels; none for a whole line. */
export function dashOf(style) {
  return DASHES[style % DASHES.length];
}
