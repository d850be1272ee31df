//! Access tokens: the join token and the admin token.

use std::fmt;

use sha2::{Digest, Sha256};

/// The hash of a token that the operator set. The token itself is not stored, so it cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// Hashes a token.
    pub fn new(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// Returns whether `text` is the token. The comparison of the hashes takes constant time.
    pub fn matches(&self, text: &[u8]) -> bool {
        let other: [u8; 32] = Sha256::digest(text).into();
        self.0
            .iter()
            .zip(other)
            .fold(0, |differences, (a, b)| differences | (a ^ b))
            == 0
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_matches_only_itself() {
        let token = TokenDigest::new("open sesame");
        assert!(token.matches(b"open sesame"));
        for wrong in [&b""[..], b"open sesam", b"open sesame ", b"Open sesame"] {
            assert!(!token.matches(wrong));
        }
    }

    #[test]
    fn debug_output_hides_token() {
        assert!(!format!("{:?}", TokenDigest::new("open sesame")).contains("sesame"));
    }
}
