//! The identity of a volunteer: the hash of a secret that only the volunteer has.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::dataset::hexadecimal;
use crate::task::Secret;

/// The identity of a volunteer over all its sessions. It does not reveal the secret, so it may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VolunteerIdentity([u8; 16]);

/// An error for text that is not an identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an identity of 32 hexadecimal digits, found {found:?}")]
pub struct ParseIdentityError {
    found: String,
}

impl From<Secret> for VolunteerIdentity {
    /// Takes the first half of the secret's SHA-256.
    fn from(secret: Secret) -> Self {
        let hash: [u8; 32] = Sha256::digest(secret.0).into();
        Self(std::array::from_fn(|i| hash[i]))
    }
}

impl From<u128> for VolunteerIdentity {
    fn from(number: u128) -> Self {
        Self(number.to_be_bytes())
    }
}

impl VolunteerIdentity {
    /// Returns its 128 bits, as they are saved.
    pub fn number(self) -> u128 {
        u128::from_be_bytes(self.0)
    }
}

impl fmt::Display for VolunteerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hexadecimal(self.0))
    }
}

impl FromStr for VolunteerIdentity {
    type Err = ParseIdentityError;

    fn from_str(text: &str) -> Result<Self, ParseIdentityError> {
        let wrong = || ParseIdentityError {
            found: text.to_owned(),
        };
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = digits
            .then(|| u128::from_str_radix(text, 16).ok())
            .flatten()
            .ok_or_else(wrong)?;
        Ok(number.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_is_hash_and_roundtrips_text() {
        let identity = VolunteerIdentity::from(Secret([7; 16]));
        assert_eq!(identity.to_string().len(), 32);
        assert_eq!(identity.to_string().parse(), Ok(identity));
        assert_ne!(identity, VolunteerIdentity::from(Secret([8; 16])));
        assert!(
            !identity.to_string().contains("0707"),
            "not the secret itself"
        );
        for wrong in [
            "",
            "0",
            "+0000000000000000000000000000000",
            &"g".repeat(32),
            &"0".repeat(33),
        ] {
            assert!(wrong.parse::<VolunteerIdentity>().is_err(), "{wrong:?}");
        }
    }
}
