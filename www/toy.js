// A toy of the attack that the page shows: twenty volunteers, two parameters, one valley. Real arithmetic, nothing
// else: whatever happens on the page follows from the lines below.
//
//   f(x) = |x|^2 / 2, so the gradient is x, and the goal is 0. A volunteer sees it with noise.
//   averaging: x <- x - a g        g are numbers, and a liar sends whatever number it likes: here -12 times the gradient
//   signs:     x <- x - b sign(g)  a bit for each parameter, and all that a liar can do is to send the wrong bit

const VOLUNTEERS = 20;
const ANSWERS = 240;
const START = [-2.3, 1.7];
const NOISE = 0.3;
const AVERAGING_STEP = 0.05;
const SIGN_STEP = 0.05;
const EXAGGERATION = 12;

/** Volunteers of the toy. */
export const volunteers = VOLUNTEERS;

/**
 * Lets them answer one after the other, at random, with `liars` among them.
 * @param {{liars: number, seed: number}} options
 * @returns {{sender: number, averaging: number[], signs: number[]}[]} where both ways are after each answer
 */
export function simulate({ liars, seed }) {
  const random = generator(seed);
  let averaging = START;
  let signs = START;
  return Array.from({ length: ANSWERS }, (_, answer) => {
    const sender = Math.floor(random() * VOLUNTEERS);
    const lies = sender < liars;
    const noise = [normal(random), normal(random)].map((value) => NOISE * value);
    const falling = (1 + Math.cos((Math.PI * answer) / ANSWERS)) / 2;
    const seen = (x) => x.map((value, k) => value + noise[k]);
    const sent = seen(averaging).map((g) => (lies ? -EXAGGERATION * g : g));
    const bits = seen(signs).map((g) => (g >= 0 !== lies ? 1 : -1));
    averaging = averaging.map((value, k) => value - AVERAGING_STEP * falling * sent[k]);
    signs = signs.map((value, k) => value - SIGN_STEP * falling * bits[k]);
    return { sender, averaging, signs };
  });
}

/** How far a point is from the goal; the start is at 1. */
export const remaining = (point) => Math.hypot(...point) / Math.hypot(...START);

/** Where both begin. */
export const start = START;

/** Numbers from 0 to 1 that follow from the seed (mulberry32). */
function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Normally distributed (Box and Muller). */
function normal(random) {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
