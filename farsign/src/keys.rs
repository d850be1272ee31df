//! The secret keys of a run, and the unpredictable words that follow from them.
//!
//! ```text
//!   word j of number n for a purpose = bytes 8j to 8j + 7 of BLAKE3(key; purpose, n), little-endian
//! ```
//!
//! BLAKE3 in its keyed mode is a pseudorandom function: known words say nothing about others. Unlike a generator it has no
//! position, so every program with the key finds the words of any number, in any order.

use std::fmt;

/// Most words of one number.
const MAX_WORDS: usize = 8;

/// A secret key. [`Debug`](fmt::Debug) does not print it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key([u8; Self::BYTES]);

/// What words are used for. Those of different purposes are unrelated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The seeds of a task, by its number.
    Task = 1,
    /// The minibatch that a window of updates shares, by the number of the window.
    Window = 2,
    /// Whether an update is verified, by the position of its record.
    Sampling = 3,
}

/// The keys of a run. They are separate because a program that issues tasks must not foresee which updates are verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunKeys {
    /// Key of the seeds of tasks.
    pub tasks: Key,
    /// Key of the updates that are verified.
    pub sampling: Key,
}

impl Key {
    /// Size in bytes.
    pub const BYTES: usize = 32;

    /// Creates a key from random bytes.
    pub const fn new(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes, to save them.
    pub fn bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// Returns `N` words of a number, at most 8.
    pub fn words<const N: usize>(&self, purpose: Purpose, number: u64) -> [u64; N] {
        const { assert!(N <= MAX_WORDS) };
        let mut input = [purpose as u8; 9];
        input[1..].copy_from_slice(&number.to_le_bytes());
        let mut bytes = [0; 8 * MAX_WORDS];
        blake3::Hasher::new_keyed(&self.0)
            .update(&input)
            .finalize_xof()
            .fill(&mut bytes);
        std::array::from_fn(|word| u64::from_le_bytes(bytes.as_chunks().0[word]))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_follow_from_key_and_number() {
        let key = Key::new(std::array::from_fn(|byte| byte as u8));
        let words: [u64; 8] = key.words(Purpose::Task, 5);
        let mut input = vec![1];
        input.extend(5u64.to_le_bytes());
        let hash = blake3::keyed_hash(key.bytes(), &input);
        let expected: [u64; 4] =
            std::array::from_fn(|word| u64::from_le_bytes(hash.as_bytes().as_chunks().0[word]));
        assert_eq!(words[..4], expected);
        assert_eq!(key.words::<2>(Purpose::Task, 5), words[..2]);
    }

    #[test]
    fn words_of_others_differ() {
        let [first, second] = [1, 2].map(|byte| Key::new([byte; 32]));
        let words = [
            first.words::<2>(Purpose::Task, 5),
            first.words(Purpose::Task, 6),
            first.words(Purpose::Window, 5),
            first.words(Purpose::Sampling, 5),
            second.words(Purpose::Task, 5),
        ];
        let distinct: std::collections::BTreeSet<u64> = words.into_iter().flatten().collect();
        assert_eq!(distinct.len(), 10);
    }

    #[test]
    fn debug_hides_key() {
        let key = Key::new([77; 32]);
        let keys = RunKeys {
            tasks: key,
            sampling: key,
        };
        assert!(!format!("{keys:?}").contains("77"));
    }
}
