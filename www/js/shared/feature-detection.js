// @ts-check
// Browser features that the training code requires.

// (module (func (result v128) i32.const 0 i8x16.splat i8x16.popcnt)): valid only with SIMD support.
const SIMD_MODULE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);

/** Returns the name of the first missing feature, or `null`. */
export function missingFeature() {
  if (typeof Worker !== 'function') return 'Web Workers';
  if (typeof WebSocket !== 'function') return 'WebSockets';
  if (typeof WebAssembly !== 'object') return 'WebAssembly';
  if (!WebAssembly.validate(SIMD_MODULE)) return 'WebAssembly SIMD';
  return null;
}
