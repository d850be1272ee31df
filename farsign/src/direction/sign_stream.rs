//! Random signs.

use crate::random::Stream;

/// A stream of random signs, 64 from each output of a [`Stream`], least significant bit first; 1 is +1.
pub(super) struct SignStream {
    stream: Stream,
    bits: u64,
    left: u32,
}

impl SignStream {
    /// Creates the stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self {
            stream: Stream::new(seed),
            bits: 0,
            left: 0,
        }
    }

    /// Returns the next sign.
    pub fn next(&mut self) -> f32 {
        if self.left == 0 {
            (self.bits, self.left) = (self.stream.bits(), 64);
        }
        let sign = if self.bits & 1 == 1 { 1.0 } else { -1.0 };
        self.bits >>= 1;
        self.left -= 1;
        sign
    }

    /// Fills `out` with the first signs of the stream, a word at a time.
    pub fn fill(&mut self, out: &mut [f32]) {
        debug_assert_eq!(self.left, 0);
        for block in out.chunks_mut(64) {
            let bits = self.stream.bits();
            for (k, value) in block.iter_mut().enumerate() {
                *value = if bits >> k & 1 == 1 { 1.0 } else { -1.0 };
            }
        }
    }
}
