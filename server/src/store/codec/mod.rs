//! The binary encoding of saved values, format 4.
//!
//! ```text
//!   identity     format 4 | seed 8 | keys of tasks and sampling 32 each | run id 8 | digest 32 | settings, TOML to the end
//!
//!   position     sequence 8 | log bytes 8                            all integers little-endian
//!
//!   checkpoint   position 16 | begin of the log that it needs: sequence 8, bytes 8 | state of the learner
//!
//!   backup       length of identity 4 | identity | checkpoint | SHA-256 of all that 32
//! ```
//!
//! Records and the state of the learner have an encoding of their own, `farsign::learner::codec`. Records in the database
//! carry no checksum, because the database verifies one per page when it is opened. The backup file carries its own.
//! Memory is allocated only for bytes that are present, so a damaged length cannot exhaust it.

use std::sync::Arc;

use farsign::keys::{Key, RunKeys};
use farsign::learner::codec::{ReadStateError, RecordError, read_state, write_state};
use farsign::sign::SignBits;
use sha2::{Digest, Sha256};

use crate::store::saved_values::{Checkpoint, LogPosition, RunIdentity};

/// The format this program writes and reads.
pub const FORMAT: u32 = 4;

const DIGEST_BYTES: usize = 32;

/// An invalid saved value. `expected` and `found` count bytes, or describe the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum SavedValueError {
    /// It ends early.
    #[error("expected {expected} more bytes of a saved value, found {found}")]
    Truncated { expected: usize, found: usize },
    /// It has extra bytes.
    #[error("expected the end of a saved value, found {found} more bytes")]
    Trailing { found: usize },
    /// Another version of the program wrote it.
    #[error("expected a saved run in format {FORMAT}, found format {found}")]
    Format { found: u32 },
    /// The settings are not text.
    #[error("expected settings in UTF-8, found {found}")]
    Settings { found: String },
    /// The checksum does not match.
    #[error("expected bytes that match their checksum, found others")]
    Checksum,
    /// A record is invalid, or of another version of the fold.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A state is invalid, or refers to a record that is missing.
    #[error(transparent)]
    State(#[from] ReadStateError),
}

impl SavedValueError {
    /// Returns whether another version of the program wrote the value.
    pub fn is_other_version(&self) -> bool {
        let record = match self {
            Self::Format { .. } => return true,
            Self::Record(record) | Self::State(ReadStateError::Record(record)) => record,
            _ => return false,
        };
        matches!(record, RecordError::Version { .. })
    }
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
pub fn read_identity(bytes: &[u8]) -> Result<RunIdentity, SavedValueError> {
    let bytes = &mut &*bytes;
    let found = u32::from_le_bytes(take(bytes)?);
    if found != FORMAT {
        return Err(SavedValueError::Format { found });
    }
    let seed = take_u64(bytes)?;
    let keys = RunKeys {
        tasks: Key::new(take(bytes)?),
        sampling: Key::new(take(bytes)?),
    };
    let run_id = take_u64(bytes)?;
    let train_digest = take(bytes)?;
    let settings =
        String::from_utf8(bytes.to_vec()).map_err(|error| SavedValueError::Settings {
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

/// Encodes a position.
pub fn write_position(position: LogPosition) -> Vec<u8> {
    let numbers = [position.sequence, position.bytes];
    numbers.map(u64::to_le_bytes).concat()
}

/// Decodes a position.
///
/// # Errors
/// Returns an error if the bytes are invalid.
pub fn read_position(bytes: &[u8]) -> Result<LogPosition, SavedValueError> {
    let bytes = &mut &*bytes;
    let position = take_position(bytes)?;
    match bytes.len() {
        0 => Ok(position),
        found => Err(SavedValueError::Trailing { found }),
    }
}

/// The beginning of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointHeader {
    /// Position in the log.
    pub position: LogPosition,
    /// Where the log begins that the state needs.
    pub begin: LogPosition,
}

/// Encodes a checkpoint, with the place where the log begins that its state needs.
pub fn write_checkpoint(checkpoint: &Checkpoint, begin: LogPosition) -> Vec<u8> {
    let mut out = write_position(checkpoint.position);
    out.extend(write_position(begin));
    out.extend(write_state(&checkpoint.state));
    out
}

/// Decodes the beginning of a checkpoint, and returns it with the bytes of the state.
///
/// # Errors
/// Returns an error if the bytes are invalid.
pub fn read_header(bytes: &[u8]) -> Result<(CheckpointHeader, &[u8]), SavedValueError> {
    let mut rest = bytes;
    let header = CheckpointHeader {
        position: take_position(&mut rest)?,
        begin: take_position(&mut rest)?,
    };
    Ok((header, rest))
}

/// Decodes a checkpoint. `signs` finds those of the updates that its state refers to.
///
/// # Errors
/// Returns an error if the bytes are invalid, or an update is missing.
pub fn read_checkpoint(
    bytes: &[u8],
    signs: &mut dyn FnMut(u64) -> Option<Arc<SignBits>>,
) -> Result<Checkpoint, SavedValueError> {
    let (header, state) = read_header(bytes)?;
    Ok(Checkpoint {
        position: header.position,
        state: read_state(state, signs)?,
    })
}

/// Encodes a backup: identity and checkpoint.
pub fn write_backup(identity: &RunIdentity, checkpoint: &Checkpoint) -> Vec<u8> {
    let identity = write_identity(identity);
    let mut out = (identity.len() as u32).to_le_bytes().to_vec();
    out.extend(identity);
    out.extend(write_checkpoint(checkpoint, checkpoint.position)); // it has no log
    out.extend(<[u8; DIGEST_BYTES]>::from(Sha256::digest(&out)));
    out
}

/// Decodes a backup. Its state has no signs of the updates that it refers to, because it comes without their records.
///
/// # Errors
/// Returns an error if the bytes are incomplete or changed.
pub fn read_backup(bytes: &[u8]) -> Result<(RunIdentity, Checkpoint), SavedValueError> {
    let (content, digest) = bytes
        .split_last_chunk::<DIGEST_BYTES>()
        .ok_or(SavedValueError::Checksum)?;
    if <[u8; DIGEST_BYTES]>::from(Sha256::digest(content)) != *digest {
        return Err(SavedValueError::Checksum);
    }
    let rest = &mut &*content;
    let expected = u32::from_le_bytes(take(rest)?) as usize;
    let split = rest.split_at_checked(expected);
    let (identity, checkpoint) = split.ok_or(SavedValueError::Truncated {
        expected,
        found: rest.len(),
    })?;
    let identity = read_identity(identity)?;
    let checkpoint = read_checkpoint(checkpoint, &mut |_| Some(Arc::default()))?;
    Ok((identity, checkpoint))
}

fn take_position(bytes: &mut &[u8]) -> Result<LogPosition, SavedValueError> {
    Ok(LogPosition {
        sequence: take_u64(bytes)?,
        bytes: take_u64(bytes)?,
    })
}

fn take_u64(bytes: &mut &[u8]) -> Result<u64, SavedValueError> {
    take(bytes).map(u64::from_le_bytes)
}

/// Takes the first `N` bytes.
fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], SavedValueError> {
    let split = bytes.split_first_chunk();
    let (taken, rest) = split.ok_or(SavedValueError::Truncated {
        expected: N,
        found: bytes.len(),
    })?;
    *bytes = rest;
    Ok(*taken)
}

/// Returns the SHA-256 of the encoded parameters, which identifies a model.
pub fn parameters_digest(x: &[i32]) -> [u8; DIGEST_BYTES] {
    let mut digest = Sha256::new();
    x.iter()
        .for_each(|value| digest.update(value.to_le_bytes()));
    digest.finalize().into()
}

#[cfg(test)]
mod tests;
