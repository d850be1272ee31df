//! The hello record: a volunteer's identity, and the training data that it holds.
//!
//! ```text
//!   +----------+-------+----------+---------+ - - - - - - - - - - - - - - - - - - - - - -+
//!   | length 1 | agent | shards 2 | flags 1 | secret 16, if so flagged | length 1, token |
//!   +----------+-------+----------+---------+ - - - - - - - - - - - - - - - - - - - - - -+
//! ```
//!
//! Absent flags are 0, so the shortest hello is an agent name and the shards.

use super::reader::Reader;
use super::{MAX_AGENT_BYTES, MAX_TOKEN_BYTES, WireError};
use crate::task::Secret;

/// The first record of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello<'a> {
    /// Name and version of the client, 1 to [`MAX_AGENT_BYTES`] bytes of UTF-8.
    pub agent: &'a str,
    /// Number of held shards of the training data. Not validated here.
    pub shards: u16,
    /// Secret that proves the volunteer's identity. `None` for an anonymous volunteer.
    pub secret: Option<Secret>,
    /// Join token of a private server, 1 to [`MAX_TOKEN_BYTES`] bytes of UTF-8.
    pub token: Option<&'a str>,
}

/// Size of the longest body of a hello.
pub(super) const MAX_BYTES: usize = 1 + MAX_AGENT_BYTES + 2 + 1 + 16 + 1 + MAX_TOKEN_BYTES;

/// Bits of the flags.
mod flag {
    pub const SECRET: u8 = 1;
    pub const TOKEN: u8 = 2;
}

impl Default for Hello<'_> {
    /// Returns the hello of an anonymous volunteer without a name, which holds the first shard.
    fn default() -> Self {
        Self {
            agent: "",
            shards: 1,
            secret: None,
            token: None,
        }
    }
}

impl<'a> Hello<'a> {
    /// Reads a body.
    pub(super) fn read(body: &mut Reader<'a>) -> Result<Self, WireError> {
        let agent = text(body, MAX_AGENT_BYTES, WireError::Agent)?;
        let shards = body.u16()?;
        let flags = if body.is_empty() { 0 } else { body.u8()? };
        let has = |bit| flags & bit != 0;
        let secret = if has(flag::SECRET) {
            Some(Secret(body.array()?))
        } else {
            None
        };
        let token = if has(flag::TOKEN) {
            Some(text(body, MAX_TOKEN_BYTES, WireError::Token)?)
        } else {
            None
        };
        Ok(Self {
            agent,
            shards,
            secret,
            token,
        })
    }

    /// Writes a body. A name or token above its limit is truncated, and an empty token is omitted.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        push(self.agent, MAX_AGENT_BYTES, out);
        out.extend(self.shards.to_le_bytes());
        let token = self.token.filter(|token| !token.is_empty());
        let bit = |has, bit| if has { bit } else { 0 };
        let flags = bit(self.secret.is_some(), flag::SECRET) | bit(token.is_some(), flag::TOKEN);
        if flags != 0 {
            out.push(flags);
        }
        out.extend(self.secret.iter().flat_map(|secret| secret.0));
        if let Some(token) = token {
            push(token, MAX_TOKEN_BYTES, out);
        }
    }
}

/// Reads a text of 1 to `max` bytes after its length.
fn text<'a>(body: &mut Reader<'a>, max: usize, invalid: WireError) -> Result<&'a str, WireError> {
    let length = usize::from(body.u8()?);
    match std::str::from_utf8(body.take(length)?) {
        Ok(text) if (1..=max).contains(&text.len()) => Ok(text),
        _ => Err(invalid),
    }
}

fn push(text: &str, max: usize, out: &mut Vec<u8>) {
    let text = &text[..text.floor_char_boundary(max)];
    out.push(text.len() as u8);
    out.extend(text.as_bytes());
}
