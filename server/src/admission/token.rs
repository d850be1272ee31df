//! Access tokens: the join token and the admin token.

use std::fmt;

use sha2::{Digest, Sha256};

/// Shortest admin token, which must resist guessing.
const MIN_ADMIN_TOKEN_BYTES: usize = 16;

/// An invalid admin token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdminTokenError {
    /// The token is too short.
    #[error("expected at least {MIN_ADMIN_TOKEN_BYTES} bytes, found {found}")]
    Length {
        /// Length in bytes.
        found: usize,
    },
    /// The token has a character that not every client can send in a header.
    #[error(
        "expected printable ASCII characters (letters, digits, punctuation, spaces within), which every HTTP client can \
         send, found U+{:04X} as character {position}", u32::from(*.found)
    )]
    Character {
        /// The character.
        found: char,
        /// Its position, from 1.
        position: usize,
    },
    /// The token begins or ends with a space, which HTTP removes from headers.
    #[error("expected no space at the beginning or the end, which HTTP removes, found one")]
    SpaceAtEnd,
}

/// Returns the admin token in a setting, without the line end that files and variables may add.
///
/// # Errors
/// Returns an error if clients could not send the token, or if it is too short.
pub fn check_admin_token(setting: &str) -> Result<&str, AdminTokenError> {
    let token = setting.trim_end_matches(['\r', '\n']);
    let mut characters = token.chars().zip(1..);
    if let Some((found, position)) = characters.find(|(c, _)| !matches!(c, ' '..='~')) {
        return Err(AdminTokenError::Character { found, position });
    }
    if token.starts_with(' ') || token.ends_with(' ') {
        return Err(AdminTokenError::SpaceAtEnd);
    }
    if token.len() < MIN_ADMIN_TOKEN_BYTES {
        let found = token.len();
        return Err(AdminTokenError::Length { found });
    }
    Ok(token)
}

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

    #[test]
    fn admin_token_fits_a_header() {
        for (setting, token) in [
            ("0123456789abcdef", "0123456789abcdef"),
            ("an inner space is fine ~!", "an inner space is fine ~!"),
            ("0123456789abcdef\r\n", "0123456789abcdef"),
            ("0123456789abcdef\r", "0123456789abcdef"),
        ] {
            assert_eq!(check_admin_token(setting), Ok(token));
        }
        for (setting, error) in [
            ("Schlüsselschlüssel", "found U+00FC as character 5"),
            ("0123456789abcdef€", "found U+20AC as character 17"),
            ("0123456\t789abcdef", "found U+0009 as character 8"),
            ("0123456\r\n789abcdef", "found U+000D as character 8"),
            (" 0123456789abcdef", "expected no space"),
            ("0123456789abcdef ", "expected no space"),
            (
                "0123456789abcde\r\n",
                "expected at least 16 bytes, found 15",
            ),
            ("\r\n", "found 0"),
        ] {
            let found = check_admin_token(setting).unwrap_err().to_string();
            assert!(found.contains(error), "{found}");
            assert!(!found.contains("0123456"), "the token is not repeated");
        }
    }
}
