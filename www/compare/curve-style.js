// @ts-check
// Styles of curves: seven colours of Okabe and Ito, and four dash patterns. Seven and four are coprime, so 28 curves have
// different styles, and neighbours differ in both.

const COLORS = 7;
const DASHES = [[], [9, 4], [3, 4], [12, 4, 3, 4]];

/**
 * Returns the custom property in compare.css with the colour of this style.
 * @param {number} style
 */
export function curveColor(style) {
  return `curve-${style % COLORS}`;
}

/**
 * Returns the lengths of dashes and gaps in pixels; empty for a solid line.
 * @param {number} style
 */
export function curveDash(style) {
  return DASHES[style % DASHES.length];
}
