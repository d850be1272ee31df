//! The rules of join tokens, which operators set, people type and volunteers send in the hello.

use super::MAX_TOKEN_BYTES;

/// An invalid join token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinTokenError {
    /// The token is empty or too long.
    #[error("expected 1 to {MAX_TOKEN_BYTES} bytes, found {found}")]
    Length {
        /// Length in bytes.
        found: usize,
    },
    /// The token has a character that a page's field cannot hold.
    #[error("expected no control characters, which cannot be typed, found U+{:04X}", u32::from(*.found))]
    Control {
        /// The character.
        found: char,
    },
    /// The token begins or ends with white space, which pages remove.
    #[error("expected no white space at the beginning or the end, found some")]
    SpaceAtEnd,
}

/// Returns the join token in a setting, without the line end that files and variables may add.
///
/// # Errors
/// Returns an error if a volunteer could not send the token, or if a person could not type it.
pub fn check_join_token(setting: &str) -> Result<&str, JoinTokenError> {
    let token = setting.trim_end_matches(['\r', '\n']);
    if !(1..=MAX_TOKEN_BYTES).contains(&token.len()) {
        let found = token.len();
        return Err(JoinTokenError::Length { found });
    }
    if let Some(found) = token.chars().find(|c| c.is_control()) {
        return Err(JoinTokenError::Control { found });
    }
    if token.trim() != token {
        return Err(JoinTokenError::SpaceAtEnd);
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn join_token_can_be_typed() {
        for (setting, token) in [
            ("sesame", "sesame"),
            ("open sesame", "open sesame"),
            ("Öffne dich €", "Öffne dich €"),
            ("sesame\r\n", "sesame"),
            ("sesame\r", "sesame"),
        ] {
            assert_eq!(check_join_token(setting), Ok(token));
        }
        for (setting, error) in [
            ("", JoinTokenError::Length { found: 0 }),
            ("\r\n", JoinTokenError::Length { found: 0 }),
            (&"ü".repeat(33), JoinTokenError::Length { found: 66 }),
            ("se\tsame", JoinTokenError::Control { found: '\t' }),
            ("se\rsame", JoinTokenError::Control { found: '\r' }),
            (" sesame", JoinTokenError::SpaceAtEnd),
            ("sesame\u{a0}", JoinTokenError::SpaceAtEnd),
        ] {
            assert_eq!(check_join_token(setting), Err(error));
        }
    }
}
