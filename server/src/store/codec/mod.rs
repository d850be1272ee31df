//! The binary encoding of saved values, format 3.
//!
//! ```text
//!   identity     format 4 | seed 8 | keys of tasks and sampling 32 each | run id 8 | digest 32 | settings, TOML to the end
//!
//!   event        kind 1 | volunteer 8 | ...                     all integers and floats little-endian
//!     1 join
//!     2 leave
//!     3 accepted   ... task | trust 4 | signs
//!     4 undone     ... direction seed 8 | scale 4 | signs
//!   task         id 8 | version 32 | seeds of minibatch, directions and coins 8 each | images 4 | shards 2 | reset 1
//!   signs        count 4 | packed bits, ceil(count / 8)
//!
//!   position     sequence 8 | log bytes 8 | record 8 | version 8 | trust mean 4
//!
//!   checkpoint   position 36 | accepted 8 | weight 8 | fraction bits 1 | x | votes | senders
//!   x            count 4 | count integers of 4
//!   votes        count 4 | count floats of 4
//!   senders      count 4 | count times: volunteer 8 | last 8 | sent 1
//!
//!   trust        sequence of the last event when it changed 8 | accepted 8 | verifications passed 4
//!
//!   backup       length of identity 4 | identity | checkpoint | SHA-256 of all that 32
//! ```
//!
//! Records in the database carry no checksum, because the database verifies one per page when it is opened. The backup
//! file carries its own. Memory is allocated only for bytes that are present, so a damaged length cannot exhaust it.

mod decoder;

use std::sync::Arc;

use farsign::keys::{Key, RunKeys};
use farsign::optimizer::FarSignState;
use farsign::sign::SignBits;
use farsign::step::Step;
use farsign::task::{Task, VolunteerId};
use farsign::trust::Trust;
use farsign::weighting::SenderState;
use sha2::{Digest, Sha256};

use crate::store::event::{
    Accepted, Checkpoint, CoordinatorCounters, Event, LogPosition, RunIdentity, TrustRecord,
};
use decoder::Decoder;

/// The format this program writes and reads.
pub const FORMAT: u32 = 3;

const DIGEST_BYTES: usize = 32;

/// The codes of events.
mod kind {
    pub const JOIN: u8 = 1;
    pub const LEAVE: u8 = 2;
    pub const ACCEPTED: u8 = 3;
    pub const ROLLED_BACK: u8 = 4;
}

/// An invalid record. `expected` and `found` count bytes, or describe the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum RecordError {
    /// The record ends early.
    #[error("expected {expected} bytes at offset {offset} of a record, found {found}")]
    Truncated {
        offset: usize,
        expected: usize,
        found: usize,
    },
    /// The record has extra bytes.
    #[error("expected the end of a record at offset {offset}, found {found} more bytes")]
    Trailing { offset: usize, found: usize },
    /// Another version of the program wrote the record.
    #[error("expected a saved run in format {FORMAT}, found format {found}")]
    Format { found: u32 },
    /// A value is out of its range.
    #[error("expected {expected} in a record, found {found}")]
    Value {
        expected: &'static str,
        found: String,
    },
    /// The checksum does not match.
    #[error("expected bytes that match their checksum, found others")]
    Checksum,
}

/// Encodes an identity.
pub fn write_identity(identity: &RunIdentity) -> Vec<u8> {
    let mut out = FORMAT.to_le_bytes().to_vec();
    out.extend(identity.seed.to_le_bytes());
    out.extend(identity.keys.tasks.bytes());
    out.extend(identity.keys.sampling.bytes());
    out.extend(identity.run_id.to_le_bytes());
    out.extend(identity.train_digest);
    out.extend(identity.settings.as_bytes());
    out
}

/// Decodes an identity.
///
/// # Errors
/// Returns an error if the bytes are invalid or of another format.
pub fn read_identity(bytes: &[u8]) -> Result<RunIdentity, RecordError> {
    let mut decoder = Decoder::new(bytes);
    let found = decoder.u32()?;
    if found != FORMAT {
        return Err(RecordError::Format { found });
    }
    let seed = decoder.u64()?;
    let keys = RunKeys {
        tasks: Key::new(decoder.array()?),
        sampling: Key::new(decoder.array()?),
    };
    let run_id = decoder.u64()?;
    let train_digest = decoder.array()?;
    let settings =
        String::from_utf8(decoder.rest().to_vec()).map_err(|error| RecordError::Value {
            expected: "settings in UTF-8",
            found: error.to_string(),
        })?;
    Ok(RunIdentity {
        seed,
        keys,
        run_id,
        train_digest,
        settings,
    })
}

/// Encodes the trust of a volunteer after the batch of events that ends at `position`.
pub fn write_trust_record(position: LogPosition, record: TrustRecord) -> Vec<u8> {
    let mut out = position.sequence.to_le_bytes().to_vec();
    out.extend(record.accepted.to_le_bytes());
    out.extend(record.trust.passed.to_le_bytes());
    out
}

/// Decodes the trust of a volunteer, and the number of the last event when it changed.
///
/// # Errors
/// Returns an error if the bytes are invalid.
pub fn read_trust_record(bytes: &[u8]) -> Result<(u64, TrustRecord), RecordError> {
    let mut decoder = Decoder::new(bytes);
    let changed = decoder.u64()?;
    let accepted = decoder.u64()?;
    let passed = decoder.u32()?;
    decoder.end()?;
    Ok((
        changed,
        TrustRecord {
            trust: Trust { passed },
            accepted,
        },
    ))
}

/// Encodes an event.
pub fn write_event(event: &Event) -> Vec<u8> {
    let mut out = Vec::new();
    let kind = match event {
        Event::Join(_) => kind::JOIN,
        Event::Leave(_) => kind::LEAVE,
        Event::Accepted(_) => kind::ACCEPTED,
        Event::RolledBack { .. } => kind::ROLLED_BACK,
    };
    out.push(kind);
    out.extend(event.volunteer().0.to_le_bytes());
    match event {
        Event::Join(_) | Event::Leave(_) => {}
        Event::Accepted(Accepted {
            task, trust, signs, ..
        }) => {
            write_task(task, &mut out);
            out.extend(trust.to_le_bytes());
            write_signs(signs, &mut out);
        }
        Event::RolledBack {
            step:
                Step {
                    direction_seed,
                    scale,
                    signs,
                },
            ..
        } => {
            out.extend(direction_seed.to_le_bytes());
            out.extend(scale.to_le_bytes());
            write_signs(signs, &mut out);
        }
    }
    out
}

/// Decodes an event.
///
/// # Errors
/// Returns an error if the bytes are invalid.
pub fn read_event(bytes: &[u8]) -> Result<Event, RecordError> {
    let mut decoder = Decoder::new(bytes);
    let [kind] = decoder.array()?;
    let volunteer = VolunteerId(decoder.u64()?);
    let event = match kind {
        kind::JOIN => Event::Join(volunteer),
        kind::LEAVE => Event::Leave(volunteer),
        kind::ACCEPTED => Event::Accepted(Accepted {
            volunteer,
            task: decoder.task()?,
            trust: decoder.f32()?,
            signs: Arc::new(decoder.signs()?),
        }),
        kind::ROLLED_BACK => {
            let direction_seed = decoder.u64()?;
            let scale = decoder.f32()?;
            Event::RolledBack {
                volunteer,
                step: Step {
                    direction_seed,
                    scale,
                    signs: decoder.signs()?,
                },
            }
        }
        found => return Err(unknown("an event of kind 1 to 4", found)),
    };
    decoder.end().map(|()| event)
}

fn write_task(task: &Task, out: &mut Vec<u8>) {
    out.extend(task.id.0.to_le_bytes());
    out.extend(task.version.0);
    out.extend(task.minibatch_seed.to_le_bytes());
    out.extend(task.direction_seed.to_le_bytes());
    out.extend(task.coin_seed.to_le_bytes());
    out.extend(task.images.to_le_bytes());
    out.extend(task.shards.to_le_bytes());
    out.push(task.reset_momentum.into());
}

/// Encodes a position and the counters there.
pub fn write_position(position: LogPosition, counters: &CoordinatorCounters) -> Vec<u8> {
    let mut out = Vec::new();
    for number in [
        position.sequence,
        position.bytes,
        counters.position,
        counters.version,
    ] {
        out.extend(number.to_le_bytes());
    }
    out.extend(counters.trust_mean.to_le_bytes());
    out
}

/// Decodes a position and its counters, with which a checkpoint also begins.
///
/// # Errors
/// Returns an error if the bytes are invalid.
pub fn read_position(bytes: &[u8]) -> Result<(LogPosition, CoordinatorCounters), RecordError> {
    Decoder::new(bytes).position()
}

/// Encodes a checkpoint.
pub fn write_checkpoint(checkpoint: &Checkpoint) -> Vec<u8> {
    let Checkpoint {
        position,
        counters,
        state:
            FarSignState {
                x,
                fraction_bits,
                votes,
                accepted,
                weight,
                senders,
            },
    } = checkpoint;
    let mut out = write_position(*position, counters);
    out.reserve(4 * (x.len() + votes.len()) + 17 * senders.len() + 32);
    out.extend(accepted.to_le_bytes());
    out.extend(weight.to_le_bytes());
    out.push(*fraction_bits);
    out.extend((x.len() as u32).to_le_bytes());
    x.iter().for_each(|x| out.extend(x.to_le_bytes()));
    out.extend((votes.len() as u32).to_le_bytes());
    votes.iter().for_each(|vote| out.extend(vote.to_le_bytes()));
    out.extend((senders.len() as u32).to_le_bytes());
    for SenderState {
        volunteer,
        last,
        sent,
    } in senders
    {
        out.extend(volunteer.0.to_le_bytes());
        out.extend(last.to_le_bytes());
        out.push((*sent).into());
    }
    out
}

/// Decodes a checkpoint.
///
/// # Errors
/// Returns an error if the bytes are invalid.
pub fn read_checkpoint(bytes: &[u8]) -> Result<Checkpoint, RecordError> {
    let mut decoder = Decoder::new(bytes);
    let (position, counters) = decoder.position()?;
    let accepted = decoder.u64()?;
    let weight = f64::from_le_bytes(decoder.array()?);
    let [fraction_bits] = decoder.array()?;
    let x = decoder.integers()?;
    let votes = decoder.floats()?;
    let count = decoder.u32()?;
    let sender = |_| {
        Ok(SenderState {
            volunteer: VolunteerId(decoder.u64()?),
            last: decoder.u64()?,
            sent: decoder.bool()?,
        })
    };
    let senders = (0..count).map(sender).collect::<Result<_, _>>()?;
    decoder.end().map(|()| Checkpoint {
        position,
        counters,
        state: FarSignState {
            x,
            fraction_bits,
            votes,
            accepted,
            weight,
            senders,
        },
    })
}

/// Encodes a backup: identity and checkpoint.
pub fn write_backup(identity: &RunIdentity, checkpoint: &Checkpoint) -> Vec<u8> {
    let identity = write_identity(identity);
    let mut out = (identity.len() as u32).to_le_bytes().to_vec();
    out.extend(identity);
    out.extend(write_checkpoint(checkpoint));
    out.extend(<[u8; DIGEST_BYTES]>::from(Sha256::digest(&out)));
    out
}

/// Decodes a backup.
///
/// # Errors
/// Returns an error if the bytes are incomplete or changed.
pub fn read_backup(bytes: &[u8]) -> Result<(RunIdentity, Checkpoint), RecordError> {
    let (content, digest) = bytes
        .split_last_chunk::<DIGEST_BYTES>()
        .ok_or(RecordError::Checksum)?;
    if <[u8; DIGEST_BYTES]>::from(Sha256::digest(content)) != *digest {
        return Err(RecordError::Checksum);
    }
    let mut decoder = Decoder::new(content);
    let length = decoder.u32()? as usize;
    let identity = read_identity(decoder.take(length)?)?;
    Ok((identity, read_checkpoint(decoder.rest())?))
}

/// Returns the SHA-256 of the encoded parameters, which identifies a model.
pub fn parameters_digest(x: &[i32]) -> [u8; DIGEST_BYTES] {
    let mut digest = Sha256::new();
    x.iter()
        .for_each(|value| digest.update(value.to_le_bytes()));
    digest.finalize().into()
}

fn write_signs(signs: &SignBits, out: &mut Vec<u8>) {
    out.extend((signs.count() as u32).to_le_bytes());
    out.extend(signs.as_bytes());
}

fn unknown(expected: &'static str, found: impl ToString) -> RecordError {
    RecordError::Value {
        expected,
        found: found.to_string(),
    }
}

#[cfg(test)]
mod tests;
