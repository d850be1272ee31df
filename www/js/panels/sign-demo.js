// @ts-check
// The simulation behind the page's demo: twenty volunteers, two parameters, one valley, and real arithmetic.
//
//   f(x) = |x|^2 / 2, so the gradient is x and the target is 0. Volunteers observe the gradient with noise.
//   averaging: x <- x - a g        g are numbers; a cheater sends any numbers, here -12 times the gradient
//   signs:     x <- x - b sign(g)  one bit for each parameter; a cheater can only send the wrong bit

/** @typedef {number[]} Point */
/** @typedef {{ sender: number, averaging: Point, signs: Point }} Step Both positions after one update. */

export const VOLUNTEERS = 20;
/** The first position of both ways. */
export const START = [-2.3, 1.7];
const UPDATES = 240;
const NOISE = 0.3;
const AVERAGING_STEP = 0.05;
const SIGN_STEP = 0.05;
const EXAGGERATION = 12;

/**
 * Simulates updates of randomly chosen volunteers.
 * @param {{ cheaters: number, seed: number }} options
 * @returns {Step[]}
 */
export function simulate({ cheaters, seed }) {
  const random = createGenerator(seed);
  let averaging = START;
  let signs = START;
  return Array.from({ length: UPDATES }, (_, update) => {
    const sender = Math.floor(random() * VOLUNTEERS);
    const cheats = sender < cheaters;
    const noise = [normal(random), normal(random)].map((value) => NOISE * value);
    const decay = (1 + Math.cos((Math.PI * update) / UPDATES)) / 2;
    /** @param {Point} x */
    const observe = (x) => x.map((value, k) => value + noise[k]);
    const sent = observe(averaging).map((g) => (cheats ? -EXAGGERATION * g : g));
    const bits = observe(signs).map((g) => (g >= 0 !== cheats ? 1 : -1));
    averaging = averaging.map((value, k) => value - AVERAGING_STEP * decay * sent[k]);
    signs = signs.map((value, k) => value - SIGN_STEP * decay * bits[k]);
    return { sender, averaging, signs };
  });
}

/**
 * Returns the distance from the target as a fraction of the distance at the start.
 * @param {Point} point
 */
export const remainingFraction = (point) => Math.hypot(...point) / Math.hypot(...START);

/**
 * Creates a generator of numbers from 0 to 1 (mulberry32).
 * @param {number} seed
 */
function createGenerator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * Draws from the normal distribution (Box and Muller).
 * @param {() => number} random
 */
function normal(random) {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
