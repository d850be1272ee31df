//! The bytes of what is saved, format 1. The only module of the host that knows them.
//!
//! ```text
//!   identity     format 4 | seed 8 | run id 8 | digest 32 | settings, TOML to the end
//!
//!   event        kind 1 | volunteer 8 | ...                     all integers and floats little-endian
//!     1 join
//!     2 leave
//!     3 accepted   ... task 8 | direction seed 8 | trust 4 | signs
//!     4 undone     ... direction seed 8 | scale 4 | signs
//!   signs        count 4 | packed bits, ceil(count / 8)
//!
//!   position     sequence 8 | log bytes 8 | joined 8 | issued 8 | version 8 | trust mean 4 | words drawn 16 | window 17
//!   window       0 or 1 | number 8 | seed 8                      zeros where there is none
//!
//!   checkpoint   position 77 | accepted 8 | weight 8 | x | votes | members
//!   x, votes     count 4 | count floats of 4
//!   members      count 4 | count times: volunteer 8 | last 8 | sent 1
//!
//!   credit       sequence of the last event when it changed 8 | accepted 8 | checks passed 4
//!
//!   rescue       length of identity 4 | identity | checkpoint | SHA-256 of all that 32
//! ```
//!
//! Inside the database records need no checksum of their own, because it has one for each of its pages and all are
//! verified when it is opened. The rescue file lies beside it and carries its own. A length is believed only once the
//! bytes are there, so that no damage makes the program ask for more memory than the file is long.

use farsign::activity::MemberState;
use farsign::optimizer::FarSignState;
use farsign::sign::SignBits;
use farsign::step::Step;
use farsign::task::{TaskId, VolunteerId};
use farsign::trust::Trust;
use sha2::{Digest, Sha256};

use super::event::{Accepted, Checkpoint, Credit, Cursor, Event, Head, Identity};

/// The format this program writes and reads.
pub const FORMAT: u32 = 1;

const DIGEST_BYTES: usize = 32;

/// Event kinds.
mod kind {
    pub const JOIN: u8 = 1;
    pub const LEAVE: u8 = 2;
    pub const ACCEPTED: u8 = 3;
    pub const UNDONE: u8 = 4;
}

/// Why bytes are not the record they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The record ends too early.
    #[error("expected {expected} bytes at offset {offset} of a record, found {found}")]
    Truncated {
        /// Where.
        offset: usize,
        /// Bytes needed there.
        expected: usize,
        /// Bytes left.
        found: usize,
    },
    /// Bytes are left over.
    #[error("expected the end of a record at offset {offset}, found {found} more bytes")]
    Trailing {
        /// Where.
        offset: usize,
        /// Bytes left.
        found: usize,
    },
    /// Another version of the program wrote it.
    #[error("expected a saved run in format {FORMAT}, found format {found}")]
    Format {
        /// Its format.
        found: u32,
    },
    /// A value that nothing is saved with.
    #[error("expected {expected} in a record, found {found}")]
    Value {
        /// What may stand there.
        expected: &'static str,
        /// What does, as text.
        found: String,
    },
    /// The checksum is of other bytes.
    #[error("expected bytes that match their checksum, found others")]
    Checksum,
}

/// Identity to bytes.
pub fn write_identity(identity: &Identity) -> Vec<u8> {
    let mut out = FORMAT.to_le_bytes().to_vec();
    out.extend(identity.seed.to_le_bytes());
    out.extend(identity.run_id.to_le_bytes());
    out.extend(identity.train_digest);
    out.extend(identity.settings.as_bytes());
    out
}

/// Bytes to identity.
///
/// # Errors
/// When they are none, or of another format.
pub fn read_identity(bytes: &[u8]) -> Result<Identity, RecordError> {
    let mut body = Body::new(bytes);
    let found = body.u32()?;
    if found != FORMAT {
        return Err(RecordError::Format { found });
    }
    let (seed, run_id, train_digest) = (body.u64()?, body.u64()?, body.array()?);
    let settings = String::from_utf8(body.rest().to_vec())
        .map_err(|error| RecordError::Value { expected: "settings in UTF-8", found: error.to_string() })?;
    Ok(Identity { seed, run_id, train_digest, settings })
}

/// Credit to bytes, as of the batch of events that ends there.
pub fn write_credit(head: Head, credit: Credit) -> Vec<u8> {
    let mut out = head.sequence.to_le_bytes().to_vec();
    out.extend(credit.accepted.to_le_bytes());
    out.extend(credit.trust.passed.to_le_bytes());
    out
}

/// Bytes to credit, and the number of the last event when it changed.
///
/// # Errors
/// When they are none.
pub fn read_credit(bytes: &[u8]) -> Result<(u64, Credit), RecordError> {
    let mut body = Body::new(bytes);
    let (changed, accepted, passed) = (body.u64()?, body.u64()?, body.u32()?);
    body.end()?;
    Ok((changed, Credit { trust: Trust { passed }, accepted }))
}

/// Event to bytes.
pub fn write_event(event: &Event) -> Vec<u8> {
    let mut out = Vec::new();
    let kind = match event {
        Event::Join(_) => kind::JOIN,
        Event::Leave(_) => kind::LEAVE,
        Event::Accepted(_) => kind::ACCEPTED,
        Event::Undone { .. } => kind::UNDONE,
    };
    out.push(kind);
    out.extend(event.volunteer().0.to_le_bytes());
    match event {
        Event::Join(_) | Event::Leave(_) => {}
        Event::Accepted(Accepted { task, direction_seed, trust, signs, .. }) => {
            out.extend(task.0.to_le_bytes());
            out.extend(direction_seed.to_le_bytes());
            out.extend(trust.to_le_bytes());
            write_signs(signs, &mut out);
        }
        Event::Undone { step: Step { direction_seed, scale, signs }, .. } => {
            out.extend(direction_seed.to_le_bytes());
            out.extend(scale.to_le_bytes());
            write_signs(signs, &mut out);
        }
    }
    out
}

/// Bytes to event.
///
/// # Errors
/// When they are none.
pub fn read_event(bytes: &[u8]) -> Result<Event, RecordError> {
    let mut body = Body::new(bytes);
    let [kind] = body.array()?;
    let volunteer = VolunteerId(body.u64()?);
    let event = match kind {
        kind::JOIN => Event::Join(volunteer),
        kind::LEAVE => Event::Leave(volunteer),
        kind::ACCEPTED => Event::Accepted(Accepted {
            volunteer,
            task: TaskId(body.u64()?),
            direction_seed: body.u64()?,
            trust: body.f32()?,
            signs: body.signs()?,
        }),
        kind::UNDONE => {
            let (direction_seed, scale) = (body.u64()?, body.f32()?);
            Event::Undone { volunteer, step: Step { direction_seed, scale, signs: body.signs()? } }
        }
        found => return Err(unknown("an event of kind 1 to 4", found)),
    };
    body.end().map(|()| event)
}

/// Position to bytes.
pub fn write_position(head: Head, cursor: &Cursor) -> Vec<u8> {
    let mut out = Vec::new();
    for number in [head.sequence, head.bytes, cursor.joined, cursor.issued, cursor.version] {
        out.extend(number.to_le_bytes());
    }
    out.extend(cursor.trust_mean.to_le_bytes());
    out.extend(cursor.words_drawn.to_le_bytes());
    out.push(cursor.window.is_some().into());
    let (number, seed) = cursor.window.unwrap_or_default();
    out.extend(number.to_le_bytes());
    out.extend(seed.to_le_bytes());
    out
}

/// Bytes to position; of a checkpoint, those at its beginning are enough.
///
/// # Errors
/// When they are none.
pub fn read_position(bytes: &[u8]) -> Result<(Head, Cursor), RecordError> {
    Body::new(bytes).position()
}

/// Checkpoint to bytes.
pub fn write_checkpoint(checkpoint: &Checkpoint) -> Vec<u8> {
    let Checkpoint { head, cursor, state: FarSignState { x, votes, accepted, weight, members } } = checkpoint;
    let mut out = write_position(*head, cursor);
    out.reserve(4 * (x.len() + votes.len()) + 17 * members.len() + 32);
    out.extend(accepted.to_le_bytes());
    out.extend(weight.to_le_bytes());
    for values in [x, votes] {
        out.extend((values.len() as u32).to_le_bytes());
        values.iter().for_each(|value| out.extend(value.to_le_bytes()));
    }
    out.extend((members.len() as u32).to_le_bytes());
    for MemberState { volunteer, last, sent } in members {
        out.extend(volunteer.0.to_le_bytes());
        out.extend(last.to_le_bytes());
        out.push((*sent).into());
    }
    out
}

/// Bytes to checkpoint.
///
/// # Errors
/// When they are none.
pub fn read_checkpoint(bytes: &[u8]) -> Result<Checkpoint, RecordError> {
    let mut body = Body::new(bytes);
    let (head, cursor) = body.position()?;
    let (accepted, weight) = (body.u64()?, f64::from_le_bytes(body.array()?));
    let (x, votes, count) = (body.floats()?, body.floats()?, body.u32()?);
    let member =
        |_| Ok(MemberState { volunteer: VolunteerId(body.u64()?), last: body.u64()?, sent: body.bool()? });
    let members = (0..count).map(member).collect::<Result<_, _>>()?;
    body.end().map(|()| Checkpoint {
        head,
        cursor,
        state: FarSignState { x, votes, accepted, weight, members },
    })
}

/// Identity and checkpoint to the bytes of a rescue file.
pub fn write_rescue(identity: &Identity, checkpoint: &Checkpoint) -> Vec<u8> {
    let identity = write_identity(identity);
    let mut out = (identity.len() as u32).to_le_bytes().to_vec();
    out.extend(identity);
    out.extend(write_checkpoint(checkpoint));
    out.extend(<[u8; DIGEST_BYTES]>::from(Sha256::digest(&out)));
    out
}

/// A rescue file's bytes to identity and checkpoint.
///
/// # Errors
/// When they are none, or not all of them.
pub fn read_rescue(bytes: &[u8]) -> Result<(Identity, Checkpoint), RecordError> {
    let (content, digest) = bytes.split_last_chunk::<DIGEST_BYTES>().ok_or(RecordError::Checksum)?;
    if <[u8; DIGEST_BYTES]>::from(Sha256::digest(content)) != *digest {
        return Err(RecordError::Checksum);
    }
    let mut body = Body::new(content);
    let length = body.u32()? as usize;
    let identity = read_identity(body.take(length)?)?;
    Ok((identity, read_checkpoint(body.rest())?))
}

/// SHA-256 of parameters as they are saved and as they travel, to compare models by.
pub fn parameters_digest(x: &[f32]) -> [u8; DIGEST_BYTES] {
    let mut digest = Sha256::new();
    x.iter().for_each(|value| digest.update(value.to_le_bytes()));
    digest.finalize().into()
}

fn write_signs(signs: &SignBits, out: &mut Vec<u8>) {
    out.extend((signs.count() as u32).to_le_bytes());
    out.extend(signs.as_bytes());
}

fn unknown(expected: &'static str, found: impl ToString) -> RecordError {
    RecordError::Value { expected, found: found.to_string() }
}

/// What is left of a record.
struct Body<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Body<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], RecordError> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or(RecordError::Truncated {
            offset: self.offset,
            expected: count,
            found: self.bytes.len(),
        })?;
        self.offset += count;
        self.bytes = rest;
        Ok(taken)
    }

    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.bytes)
    }

    fn end(self) -> Result<(), RecordError> {
        match self.bytes.len() {
            0 => Ok(()),
            found => Err(RecordError::Trailing { offset: self.offset, found }),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        self.take(N).map(|bytes| bytes.try_into().expect("as many were taken"))
    }

    fn u32(&mut self) -> Result<u32, RecordError> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, RecordError> {
        self.array().map(u64::from_le_bytes)
    }

    fn f32(&mut self) -> Result<f32, RecordError> {
        self.array().map(f32::from_le_bytes)
    }

    fn bool(&mut self) -> Result<bool, RecordError> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [found] => Err(unknown("0 or 1", found)),
        }
    }

    fn floats(&mut self) -> Result<Vec<f32>, RecordError> {
        let count = self.u32()? as usize;
        let (floats, _) = self.take(4 * count)?.as_chunks();
        Ok(floats.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }

    fn signs(&mut self) -> Result<SignBits, RecordError> {
        let count = self.u32()? as usize;
        let bytes = self.take(count.div_ceil(8))?;
        SignBits::from_bytes(bytes, count).map_err(|error| unknown("packed signs", error))
    }

    fn position(&mut self) -> Result<(Head, Cursor), RecordError> {
        let head = Head { sequence: self.u64()?, bytes: self.u64()? };
        let (joined, issued, version, trust_mean) = (self.u64()?, self.u64()?, self.u64()?, self.f32()?);
        let (words_drawn, has_window) = (u128::from_le_bytes(self.array()?), self.bool()?);
        let window = (self.u64()?, self.u64()?);
        let window = has_window.then_some(window);
        Ok((head, Cursor { joined, issued, version, trust_mean, words_drawn, window }))
    }
}

#[cfg(test)]
mod tests;
