//! The bytes of a verification job: everything that a verifier needs.
//!
//! ```text
//!   format 1 | length of the head 4 | head, JSON | updates, each: length 4 | record of the update
//!   | frame of the protocol with the versions of the tasks, each as differences to the one before
//! ```

use std::sync::Arc;

use farsign::learner::codec::{read_record, write_record};
use farsign::learner::{Record, VerificationJob};
use farsign::task::{TaskId, VolunteerId};
use farsign::verification::{ChainSegment, VerifiableUpdate};
use farsign::version::Version;
use farsign::wire::{EncodedVersion, ServerFrame, ServerRecord, read_server_frame};
use serde::{Deserialize, Serialize};

use crate::board::bulletin::decode_version;

/// The format that this program writes and reads.
const FORMAT: u8 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    volunteer: u64,
    reset: u64,
    continues: bool,
    /// Positions of the updates to verify, after those that are verified.
    positions: Vec<u64>,
    /// Number of the updates that are verified.
    verified: usize,
    /// For each update, the index of its version in the frame.
    versions: Vec<usize>,
}

/// An invalid job.
#[derive(Debug, thiserror::Error)]
#[error("expected a job of this run, found {0}")]
pub struct JobError(String);

fn invalid(found: impl std::fmt::Display) -> JobError {
    JobError(found.to_string())
}

/// Encodes a job. `None` if it [is not verifiable](ChainSegment::is_verifiable).
pub fn write_job(job: &VerificationJob) -> Option<Vec<u8>> {
    let segment = &job.segment;
    if !segment.is_verifiable() {
        return None;
    }
    let verified = segment.verified.get().filter(|_| segment.continues);
    let verified = verified.map_or(&[][..], Vec::as_slice);
    let updates: Vec<&VerifiableUpdate> = verified.iter().chain(&segment.updates).collect();
    let mut versions: Vec<&Arc<Version>> = Vec::new();
    let mut indices = Vec::new();
    for update in &updates {
        let version = update.version.get()?;
        let known = versions
            .iter()
            .position(|other| other.hash() == version.hash());
        indices.push(known.unwrap_or(versions.len()));
        if known.is_none() {
            versions.push(version);
        }
    }
    let head = Head {
        volunteer: job.volunteer.0,
        reset: segment.reset.0,
        continues: segment.continues,
        positions: updates.iter().map(|update| update.position).collect(),
        verified: verified.len(),
        versions: indices,
    };
    let head = serde_json::to_vec(&head).expect("a head is valid JSON");
    let mut out = vec![FORMAT];
    write_part(&head, &mut out);
    for update in updates {
        let record = Record::Update {
            volunteer: job.volunteer,
            task: update.task,
            signs: update.signs.clone(),
        };
        write_part(&write_record(&record), &mut out);
    }
    let mut frame = Vec::new();
    let mut versions_frame = ServerFrame::new(&mut frame);
    let mut base: Option<&Version> = None;
    for version in versions {
        versions_frame.version(&EncodedVersion::new(version, base));
        base = Some(version);
    }
    out.extend(frame);
    Some(out)
}

fn write_part(part: &[u8], out: &mut Vec<u8>) {
    out.extend((part.len() as u32).to_le_bytes());
    out.extend(part);
}

/// Decodes a job of a run with `parameters` values.
///
/// # Errors
/// Returns an error if the bytes are not a job.
pub fn read_job(bytes: &[u8], parameters: usize) -> Result<VerificationJob, JobError> {
    let (format, mut rest) = bytes.split_first().ok_or_else(|| invalid("no bytes"))?;
    if *format != FORMAT {
        return Err(invalid(format!("format {format}")));
    }
    let head: Head = serde_json::from_slice(take_part(&mut rest)?).map_err(invalid)?;
    if head.positions.len() != head.versions.len() {
        return Err(invalid("updates without versions"));
    }
    let mut records = Vec::new();
    for _ in &head.positions {
        records.push(read_record(take_part(&mut rest)?).map_err(invalid)?);
    }
    let versions = read_versions(rest, parameters)?;
    let mut updates = Vec::new();
    for ((position, index), record) in head.positions.iter().zip(&head.versions).zip(records) {
        let Record::Update { task, signs, .. } = record else {
            return Err(invalid("another record"));
        };
        let version = versions.get(*index);
        updates.push(VerifiableUpdate {
            position: *position,
            task,
            version: version
                .cloned()
                .ok_or_else(|| invalid("no version"))?
                .into(),
            signs,
        });
    }
    if head.verified >= updates.len() {
        return Err(invalid("no update to verify"));
    }
    let rest = updates.split_off(head.verified);
    Ok(VerificationJob {
        volunteer: VolunteerId(head.volunteer),
        identity: None, // a verifier does not need it
        segment: ChainSegment {
            updates: rest,
            continues: head.continues,
            verified: updates.into(),
            reset: TaskId(head.reset),
        },
    })
}

fn read_versions(frame: &[u8], parameters: usize) -> Result<Vec<Arc<Version>>, JobError> {
    let mut versions: Vec<Arc<Version>> = Vec::new();
    for record in read_server_frame(frame).map_err(invalid)? {
        let ServerRecord::Version(body) = record.map_err(invalid)? else {
            return Err(invalid("another record"));
        };
        let base = versions.last().map(AsRef::as_ref);
        let version = decode_version(&body, parameters, base).map_err(invalid)?;
        versions.push(Arc::new(version));
    }
    Ok(versions)
}

fn take_part<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], JobError> {
    let truncated = || invalid("a part that ends early");
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(truncated)?;
    let length = u32::from_le_bytes(*length) as usize;
    let (part, rest) = rest.split_at_checked(length).ok_or_else(truncated)?;
    *bytes = rest;
    Ok(part)
}
