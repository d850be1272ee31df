//! The random words of one input.

/// Most words that one input uses: minibatch, directions, reset interval, coins, verification gap.
const MAX_DRAWS: usize = 5;

/// Unpredictable words that come with an input, in place of a generator inside the training server.
///
/// The training server uses as many as it needs, in order. A caller with a sequential generator draws all of
/// them ahead and advances its generator by [`Draws::used`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Draws {
    words: [u64; MAX_DRAWS],
    used: usize,
}

impl Draws {
    /// Draws the words of one input with `next`, in order.
    pub fn from_fn(mut next: impl FnMut() -> u64) -> Self {
        Self {
            words: std::array::from_fn(|_| next()),
            used: 0,
        }
    }

    /// Returns how many words the input has used.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Returns the next unused word.
    pub(super) fn next(&mut self) -> u64 {
        let word = self.words[self.used];
        self.used += 1;
        word
    }
}
