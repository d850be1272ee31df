//! Who somebody is, as far as the server knows: the hash of a secret that only the volunteer has.

use std::fmt;
use std::str::FromStr;

use farsign::task::Secret;
use sha2::{Digest, Sha256};

/// A volunteer's name. From it nobody gets back to the secret, so it may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity([u8; 16]);

/// A text that is no identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an identity of 32 hexadecimal digits, found {found:?}")]
pub struct NoIdentity {
    found: String,
}

impl From<Secret> for Identity {
    /// The first half of the secret's SHA-256.
    fn from(secret: Secret) -> Self {
        let hash: [u8; 32] = Sha256::digest(secret.0).into();
        Self(std::array::from_fn(|i| hash[i]))
    }
}

impl From<u128> for Identity {
    fn from(number: u128) -> Self {
        Self(number.to_be_bytes())
    }
}

impl Identity {
    /// Its 128 bits, as they are kept.
    pub fn number(self) -> u128 {
        u128::from_be_bytes(self.0)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Identity {
    type Err = NoIdentity;

    fn from_str(text: &str) -> Result<Self, NoIdentity> {
        let wrong = || NoIdentity { found: text.to_owned() };
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = digits.then(|| u128::from_str_radix(text, 16).ok()).flatten().ok_or_else(wrong)?;
        Ok(number.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_the_hash_of_a_secret_and_can_be_written_down() {
        let identity = Identity::from(Secret([7; 16]));
        assert_eq!(identity.to_string().len(), 32);
        assert_eq!(identity.to_string().parse(), Ok(identity));
        assert_ne!(identity, Identity::from(Secret([8; 16])));
        assert!(!identity.to_string().contains("0707"), "not the secret itself");
        for wrong in ["", "0", "+0000000000000000000000000000000", &"g".repeat(32), &"0".repeat(33)] {
            assert!(wrong.parse::<Identity>().is_err(), "{wrong:?}");
        }
    }
}
