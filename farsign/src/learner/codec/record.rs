//! Bytes of records.

use std::sync::Arc;

use super::decoder::{Decoder, unknown};
use super::{FOLD_VERSION, RecordError};
use crate::identity::VolunteerIdentity;
use crate::learner::{GatewayId, Record, Verdict, VerdictOutcome};
use crate::sign::SignBits;
use crate::task::{GoodbyeReason, Task};

/// The codes of records.
mod kind {
    pub const JOIN: u8 = 1;
    pub const UPDATE: u8 = 2;
    pub const LEAVE: u8 = 3;
    pub const EJECT: u8 = 4;
    pub const VERDICT: u8 = 5;
    pub const VERIFY_PROBABILITY: u8 = 6;
    pub const GATEWAY_LOST: u8 = 7;
}

/// The codes of outcomes.
mod outcome {
    pub const PASSED: u8 = 1;
    pub const FAILED: u8 = 2;
    pub const SKIPPED: u8 = 3;
}

/// Encodes a record.
pub fn write_record(record: &Record) -> Vec<u8> {
    let mut out = vec![FOLD_VERSION];
    match record {
        Record::Join { identity, gateway } => {
            out.push(kind::JOIN);
            write_identity(*identity, &mut out);
            out.extend(gateway.0.to_le_bytes());
        }
        Record::Update { task, signs, .. } => {
            out.push(kind::UPDATE);
            write_task(task, &mut out);
            out.push(signs.is_some().into());
            if let Some(signs) = signs {
                write_signs(signs, &mut out);
            }
        }
        Record::Leave(volunteer) => {
            out.push(kind::LEAVE);
            out.extend(volunteer.0.to_le_bytes());
        }
        Record::GatewayLost(gateway) => {
            out.push(kind::GATEWAY_LOST);
            out.extend(gateway.0.to_le_bytes());
        }
        Record::Eject { volunteer, reason } => {
            out.push(kind::EJECT);
            out.extend(volunteer.0.to_le_bytes());
            out.push(reason.code());
        }
        Record::Verdict(verdict) => {
            out.push(kind::VERDICT);
            write_verdict(verdict, &mut out);
        }
        Record::VerifyProbability(probability) => {
            out.push(kind::VERIFY_PROBABILITY);
            out.extend(probability.to_le_bytes());
        }
    }
    out
}

/// Decodes a record.
///
/// # Errors
/// Returns an error if the bytes are not one record of this version.
pub fn read_record(bytes: &[u8]) -> Result<Record, RecordError> {
    let mut decoder = Decoder::new(bytes)?;
    let record = match decoder.u8()? {
        kind::JOIN => Record::Join {
            identity: decoder.optional(Decoder::identity)?,
            gateway: GatewayId(decoder.u64()?),
        },
        kind::UPDATE => {
            let task = decoder.task()?;
            Record::Update {
                volunteer: task.id.volunteer(),
                task,
                signs: decoder.optional(Decoder::signs)?.map(Arc::new),
            }
        }
        kind::LEAVE => Record::Leave(decoder.volunteer()?),
        kind::EJECT => {
            let volunteer = decoder.volunteer()?;
            let code = decoder.u8()?;
            let reason = GoodbyeReason::from_code(code);
            let reason = reason.ok_or_else(|| unknown("the code of a reason", code))?;
            Record::Eject { volunteer, reason }
        }
        kind::VERDICT => Record::Verdict(read_verdict(&mut decoder)?),
        kind::VERIFY_PROBABILITY => Record::VerifyProbability(decoder.probability()?),
        kind::GATEWAY_LOST => Record::GatewayLost(GatewayId(decoder.u64()?)),
        found => return Err(unknown("a record of kind 1 to 7", found)),
    };
    decoder.end().map(|()| record)
}

fn write_verdict(verdict: &Verdict, out: &mut Vec<u8>) {
    out.extend(verdict.last.0.to_le_bytes());
    match verdict.outcome {
        VerdictOutcome::Passed => out.push(outcome::PASSED),
        VerdictOutcome::Failed(task) => {
            out.push(outcome::FAILED);
            out.extend(task.0.to_le_bytes());
        }
        VerdictOutcome::Skipped => out.push(outcome::SKIPPED),
    }
}

fn read_verdict(decoder: &mut Decoder<'_>) -> Result<Verdict, RecordError> {
    let last = decoder.task_id()?;
    let outcome = match decoder.u8()? {
        outcome::PASSED => VerdictOutcome::Passed,
        outcome::FAILED => VerdictOutcome::Failed(decoder.task_id()?),
        outcome::SKIPPED => VerdictOutcome::Skipped,
        found => return Err(unknown("an outcome of 1 to 3", found)),
    };
    Ok(Verdict {
        volunteer: last.volunteer(),
        last,
        outcome,
    })
}

pub(super) fn write_identity(identity: Option<VolunteerIdentity>, out: &mut Vec<u8>) {
    out.push(identity.is_some().into());
    if let Some(identity) = identity {
        out.extend(identity.number().to_le_bytes());
    }
}

pub(super) fn write_task(task: &Task, out: &mut Vec<u8>) {
    out.extend(task.id.0.to_le_bytes());
    out.extend(task.version.0);
    for seed in [task.minibatch_seed, task.direction_seed, task.coin_seed] {
        out.extend(seed.to_le_bytes());
    }
    out.extend(task.images.to_le_bytes());
    out.extend(task.shards.to_le_bytes());
    out.push(task.reset_momentum.into());
}

fn write_signs(signs: &SignBits, out: &mut Vec<u8>) {
    out.extend((signs.count() as u32).to_le_bytes());
    out.extend(signs.as_bytes());
}
