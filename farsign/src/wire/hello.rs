//! The hello: who a volunteer is and what it can take.
//!
//! ```text
//!   +----------+-------+---------+ - - - - - - - - - - - - - - - - - - - - - -+
//!   | length 1 | agent | flags 1 | secret 16, if so flagged | length 1, token |
//!   +----------+-------+---------+ - - - - - - - - - - - - - - - - - - - - - -+
//! ```
//!
//! The flags may be left out, and are 0 then, so that the shortest hello is a name.

use super::read::Reader;
use super::{Abilities, MAX_AGENT_BYTES, MAX_TOKEN_BYTES, WireError};
use crate::task::Secret;

/// First record of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hello<'a> {
    /// Name and version of the program, 1 to [`MAX_AGENT_BYTES`] bytes.
    pub agent: &'a str,
    /// What it takes besides snapshots in f32.
    pub abilities: Abilities,
    /// Proves that it is the same volunteer as before.
    pub secret: Option<Secret>,
    /// Opens a server that is not open to everybody, 1 to [`MAX_TOKEN_BYTES`] bytes.
    pub token: Option<&'a str>,
}

/// Body of the longest hello.
pub(super) const MOST_BYTES: usize = 1 + MAX_AGENT_BYTES + 1 + 16 + 1 + MAX_TOKEN_BYTES;

/// Bits of the flags.
mod flag {
    pub const DELTAS: u8 = 1;
    pub const HALF_SNAPSHOTS: u8 = 2;
    pub const SECRET: u8 = 4;
    pub const TOKEN: u8 = 8;
}

impl<'a> Hello<'a> {
    /// Reads a body.
    pub(super) fn read(body: &mut Reader<'a>) -> Result<Self, WireError> {
        let agent = text(body, MAX_AGENT_BYTES, WireError::Agent)?;
        let flags = if body.is_empty() { 0 } else { body.u8()? };
        let has = |bit| flags & bit != 0;
        let abilities = Abilities { deltas: has(flag::DELTAS), half_snapshots: has(flag::HALF_SNAPSHOTS) };
        let secret = if has(flag::SECRET) { Some(Secret(body.array()?)) } else { None };
        let token =
            if has(flag::TOKEN) { Some(text(body, MAX_TOKEN_BYTES, WireError::Token)?) } else { None };
        Ok(Self { agent, abilities, secret, token })
    }

    /// Writes a body. A name or token that is too long is cut, an empty token is none.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        push(self.agent, MAX_AGENT_BYTES, out);
        let token = self.token.filter(|token| !token.is_empty());
        let bit = |has, bit| if has { bit } else { 0 };
        let flags = bit(self.abilities.deltas, flag::DELTAS)
            | bit(self.abilities.half_snapshots, flag::HALF_SNAPSHOTS)
            | bit(self.secret.is_some(), flag::SECRET)
            | bit(token.is_some(), flag::TOKEN);
        if flags != 0 {
            out.push(flags);
        }
        out.extend(self.secret.iter().flat_map(|secret| secret.0));
        if let Some(token) = token {
            push(token, MAX_TOKEN_BYTES, out);
        }
    }
}

/// A text of 1 to `most` bytes behind its length.
fn text<'a>(body: &mut Reader<'a>, most: usize, wrong: WireError) -> Result<&'a str, WireError> {
    let length = usize::from(body.u8()?);
    match std::str::from_utf8(body.take(length)?) {
        Ok(text) if (1..=most).contains(&text.len()) => Ok(text),
        _ => Err(wrong),
    }
}

fn push(text: &str, most: usize, out: &mut Vec<u8>) {
    let text = &text[..text.floor_char_boundary(most)];
    out.push(text.len() as u8);
    out.extend(text.as_bytes());
}
