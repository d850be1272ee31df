// @ts-check
// Measures the downloads of a page or a worker, as far as the browser reports them to scripts.
//
// A response counts with its compressed body and the browser's estimate of its headers; a response from the cache counts
// nothing. The request is estimated here. WebSockets are counted by the training code.

const REQUEST_BYTES = 500;

/**
 * Calls `onBytes` with the bytes of every download so far, and of each further one.
 * @param {(bytes: number) => void} onBytes
 */
export function measureTransfers(onBytes) {
  if (typeof PerformanceObserver !== 'function') return;
  const observer = new PerformanceObserver((list) => {
    let bytes = 0;
    for (const entry of list.getEntries()) {
      const { transferSize } = /** @type {PerformanceResourceTiming} */ (entry);
      if (transferSize > 0) bytes += transferSize + REQUEST_BYTES;
    }
    if (bytes > 0) onBytes(bytes);
    performance.clearResourceTimings(); // the buffer is bounded, and full after some minutes of status requests
  });
  for (const type of ['navigation', 'resource']) {
    if (PerformanceObserver.supportedEntryTypes.includes(type)) observer.observe({ type, buffered: true });
  }
}
