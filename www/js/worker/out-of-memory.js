// @ts-check
// Recognizes errors of a worker whose memory cannot grow.

// A failed allocation of the Wasm module ends in a trap. Its panics throw their messages instead.
const PATTERN =
  /RuntimeError: unreachable|out of memory|allocation (failed|size overflow)|(cannot|could not) allocate/i;

/**
 * Returns whether an error, or its text with the error's name first, reports that memory ran out.
 * @param {unknown} error
 */
export const isOutOfMemory = (error) => PATTERN.test(String(error));
