// @ts-check
// Digits in the page's own handwriting: strokes of points with coordinates from 0 to 1.

/** @typedef {import('./drawing-canvas.js').Point} Point */

/**
 * Returns the points of an elliptic arc between two angles, in turns.
 * @param {number} x
 * @param {number} y
 * @param {number} radiusX
 * @param {number} radiusY
 * @param {number} from
 * @param {number} to
 */
const arc = (x, y, radiusX, radiusY, from, to) =>
  Array.from({ length: 17 }, (_, step) => {
    const angle = (from + ((to - from) * step) / 16) * 2 * Math.PI;
    return /** @type {Point} */ ([x + radiusX * Math.cos(angle), y + radiusY * Math.sin(angle)]);
  });

/**
 * Strokes of each digit, 0 to 9.
 * @type {Point[][][]}
 */
// biome-ignore format: a line for each digit
export const EXAMPLE_DIGITS = [
  [arc(0.5, 0.5, 0.2, 0.32, -0.25, 0.75)],
  [[[0.56, 0.16], [0.46, 0.84]]],
  [[...arc(0.48, 0.34, 0.19, 0.17, -0.5, 0.07), [0.28, 0.82], [0.72, 0.8]]],
  [[...arc(0.47, 0.33, 0.17, 0.16, -0.42, 0.22), ...arc(0.48, 0.65, 0.2, 0.17, -0.22, 0.42)]],
  [[[0.36, 0.18], [0.29, 0.52], [0.68, 0.5]], [[0.66, 0.2], [0.58, 0.84]]],
  [[[0.7, 0.18], [0.38, 0.19], [0.34, 0.45], ...arc(0.48, 0.63, 0.19, 0.18, -0.25, 0.42)]],
  [[[0.62, 0.17], [0.42, 0.38], ...arc(0.49, 0.65, 0.17, 0.17, -0.5, 0.5)]],
  [[[0.28, 0.22], [0.72, 0.2], [0.46, 0.84]]],
  [[...arc(0.5, 0.33, 0.15, 0.15, 0.25, 1.25), ...arc(0.5, 0.66, 0.18, 0.18, -0.25, 0.75)]],
  [[...arc(0.5, 0.34, 0.17, 0.16, 0, 1), [0.66, 0.5], [0.58, 0.84]]],
];
