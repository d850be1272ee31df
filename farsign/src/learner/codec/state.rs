//! Bytes of a learner's state.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::decoder::{Decoder, unknown};
use super::record::{write_identity, write_task};
use super::{FOLD_VERSION, RecordError};
use crate::attachment::Attached;
use crate::learner::trust_store::TrustStore;
use crate::learner::volunteer::VolunteerState;
use crate::learner::{GatewayId, LearnerState, TrustRecord, VerificationJob};
use crate::optimizer::FarSignState;
use crate::rollback::{UnverifiedUpdate, UnverifiedUpdates};
use crate::sign::SignBits;
use crate::task::VolunteerId;
use crate::trust::{Trust, TrustMean};
use crate::verification::{ChainSegment, ChainState, VerifiableUpdate, VerificationChain};
use crate::weighting::SenderState;

/// Finds the signs of the update at a position. `None` if there are none.
type FindSigns<'a> = &'a mut dyn FnMut(u64) -> Option<Arc<SignBits>>;

/// A state that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum ReadStateError {
    /// The bytes are not a state.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// An update that the state refers to is missing.
    #[error("expected the record of an update at position {position}, found none")]
    Missing { position: u64 },
}

/// Encodes a state.
pub fn write_state(state: &LearnerState) -> Vec<u8> {
    let mut out = vec![FOLD_VERSION];
    out.extend(state.position.to_le_bytes());
    out.extend(state.moved_at.to_le_bytes());
    out.push(state.verify_probability.is_some().into());
    if let Some(probability) = state.verify_probability {
        out.extend(probability.to_le_bytes());
    }
    out.extend(state.trust_mean.0.to_le_bytes());
    write_optimizer(&state.optimizer, &mut out);
    write_volunteers(&state.volunteers, &mut out);
    write_volunteers(&state.departed, &mut out);
    let records: Vec<_> = state.trust_store.records().collect();
    write_count(records.len(), &mut out);
    for (identity, record) in records {
        out.extend(identity.number().to_le_bytes());
        write_trust(record, &mut out);
    }
    out
}

/// Decodes a state. `signs` finds those of the updates that it refers to.
///
/// # Errors
/// Returns an error if the bytes are not a state of this version, or an update is missing.
pub fn read_state(
    bytes: &[u8],
    signs: &mut dyn FnMut(u64) -> Option<Arc<SignBits>>,
) -> Result<LearnerState, ReadStateError> {
    let mut missing = None;
    let mut find = |position| {
        let found = signs(position);
        if found.is_none() {
            missing.get_or_insert(position);
        }
        found
    };
    let mut decoder = Decoder::new(bytes)?;
    let position = decoder.u64()?;
    let moved_at = decoder.u64()?;
    let verify_probability = decoder.optional(Decoder::probability)?;
    let trust_mean = TrustMean(decoder.f32()?);
    let optimizer = read_optimizer(&mut decoder)?;
    let volunteers = read_volunteers(&mut decoder, &mut find)?;
    let departed = read_volunteers(&mut decoder, &mut find)?;
    let records = decoder.list(|decoder| Ok((decoder.identity()?, read_trust(decoder)?)))?;
    decoder.end()?;
    if let Some(position) = missing {
        return Err(ReadStateError::Missing { position });
    }
    let mut trust_store = TrustStore::default();
    for (identity, record) in records {
        trust_store.insert(identity, record);
    }
    Ok(LearnerState {
        optimizer,
        position,
        moved_at,
        verify_probability,
        trust_mean,
        volunteers,
        departed,
        trust_store,
    })
}

fn write_optimizer(state: &FarSignState, out: &mut Vec<u8>) {
    let FarSignState {
        x,
        fraction_bits,
        votes,
        accepted,
        weight,
        senders,
    } = state;
    out.reserve(4 * (x.len() + votes.len()) + 17 * senders.len() + 32);
    out.extend(accepted.to_le_bytes());
    out.extend(weight.to_le_bytes());
    out.push(*fraction_bits);
    write_count(x.len(), out);
    x.iter().for_each(|x| out.extend(x.to_le_bytes()));
    write_count(votes.len(), out);
    votes.iter().for_each(|vote| out.extend(vote.to_le_bytes()));
    write_count(senders.len(), out);
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
}

fn read_optimizer(decoder: &mut Decoder<'_>) -> Result<FarSignState, RecordError> {
    let accepted = decoder.u64()?;
    let weight = decoder.f64()?;
    let fraction_bits = decoder.u8()?;
    let x = decoder.numbers(i32::from_le_bytes)?;
    let votes = decoder.numbers(f32::from_le_bytes)?;
    let sender = |decoder: &mut Decoder<'_>| {
        Ok(SenderState {
            volunteer: decoder.volunteer()?,
            last: decoder.u64()?,
            sent: decoder.bool()?,
        })
    };
    Ok(FarSignState {
        x,
        fraction_bits,
        votes,
        accepted,
        weight,
        senders: decoder.list(sender)?,
    })
}

fn write_volunteers(volunteers: &BTreeMap<VolunteerId, VolunteerState>, out: &mut Vec<u8>) {
    write_count(volunteers.len(), out);
    for (id, volunteer) in volunteers {
        out.extend(id.0.to_le_bytes());
        write_volunteer(volunteer, out);
    }
}

fn read_volunteers(
    decoder: &mut Decoder<'_>,
    signs: FindSigns<'_>,
) -> Result<BTreeMap<VolunteerId, VolunteerState>, RecordError> {
    let volunteers = decoder.list(|decoder| {
        let id = decoder.volunteer()?;
        Ok((id, read_volunteer(id, decoder, signs)?))
    })?;
    Ok(volunteers.into_iter().collect())
}

fn write_volunteer(volunteer: &VolunteerState, out: &mut Vec<u8>) {
    let VolunteerState {
        identity,
        gateway,
        record,
        closed,
        chain,
        running,
        unverified,
    } = volunteer;
    write_identity(*identity, out);
    out.extend(gateway.0.to_le_bytes());
    write_trust(*record, out);
    out.extend(closed.to_le_bytes());
    write_chain(chain, out);
    out.push(running.is_some().into());
    if let Some(job) = running {
        out.extend(job.segment.reset.0.to_le_bytes());
        out.push(job.segment.continues.into());
        write_updates(&job.segment.updates, out);
    }
    write_count(unverified.iter().len(), out);
    for update in unverified.iter() {
        out.extend(update.position.to_le_bytes());
        out.extend(update.task.0.to_le_bytes());
        out.extend(update.direction_seed.to_le_bytes());
        out.extend(update.scale.to_le_bytes());
    }
}

fn read_volunteer(
    volunteer: VolunteerId,
    decoder: &mut Decoder<'_>,
    signs: FindSigns<'_>,
) -> Result<VolunteerState, RecordError> {
    let identity = decoder.optional(Decoder::identity)?;
    let gateway = GatewayId(decoder.u64()?);
    let record = read_trust(decoder)?;
    let closed = decoder.u64()?;
    let chain = read_chain(decoder, signs)?;
    let segment = decoder.optional(|decoder| read_segment(decoder, signs))?;
    let running = segment.map(|segment| VerificationJob {
        volunteer,
        identity,
        segment,
    });
    let unverified = decoder.list(|decoder| {
        let position = decoder.u64()?;
        Ok(UnverifiedUpdate {
            position,
            task: decoder.task_id()?,
            direction_seed: decoder.u64()?,
            scale: decoder.f32()?,
            signs: signs(position).unwrap_or_default(),
        })
    })?;
    Ok(VolunteerState {
        identity,
        gateway,
        record,
        closed,
        chain,
        running: running.map(Arc::new),
        unverified: UnverifiedUpdates::from_iter(unverified),
    })
}

fn read_segment(
    decoder: &mut Decoder<'_>,
    signs: FindSigns<'_>,
) -> Result<ChainSegment, RecordError> {
    let reset = decoder.task_id()?;
    let continues = decoder.bool()?;
    let updates = read_updates(decoder, signs)?;
    if updates.is_empty() {
        return Err(unknown("at least one update", 0));
    }
    Ok(ChainSegment {
        updates,
        continues,
        verified: Attached::default(),
        reset,
    })
}

fn write_chain(chain: &VerificationChain, out: &mut Vec<u8>) {
    let state = chain.state();
    for task in [state.reset, state.last] {
        out.extend(task.map_or(0, |task| task.0).to_le_bytes());
    }
    let flags = [state.continues, state.is_recording, state.has_sampled];
    out.extend(flags.map(u8::from));
    write_updates(chain.updates(), out);
}

fn read_chain(
    decoder: &mut Decoder<'_>,
    signs: FindSigns<'_>,
) -> Result<VerificationChain, RecordError> {
    let state = ChainState {
        reset: decoder.optional_task_id()?,
        last: decoder.optional_task_id()?,
        continues: decoder.bool()?,
        is_recording: decoder.bool()?,
        has_sampled: decoder.bool()?,
    };
    Ok(VerificationChain::restore(
        state,
        read_updates(decoder, signs)?,
    ))
}

fn write_updates(updates: &[VerifiableUpdate], out: &mut Vec<u8>) {
    write_count(updates.len(), out);
    for update in updates {
        out.extend(update.position.to_le_bytes());
        write_task(&update.task, out);
        out.push(update.signs.is_some().into());
    }
}

fn read_updates(
    decoder: &mut Decoder<'_>,
    signs: FindSigns<'_>,
) -> Result<Vec<VerifiableUpdate>, RecordError> {
    decoder.list(|decoder| {
        let position = decoder.u64()?;
        let task = decoder.task()?;
        let has_signs = decoder.bool()?;
        Ok(VerifiableUpdate {
            position,
            task,
            version: Attached::default(),
            signs: has_signs.then(|| signs(position)).flatten(),
        })
    })
}

fn write_trust(record: TrustRecord, out: &mut Vec<u8>) {
    out.extend(record.trust.passed.to_le_bytes());
    out.extend(record.accepted.to_le_bytes());
}

fn read_trust(decoder: &mut Decoder<'_>) -> Result<TrustRecord, RecordError> {
    Ok(TrustRecord {
        trust: Trust {
            passed: decoder.u32()?,
        },
        accepted: decoder.u64()?,
    })
}

fn write_count(count: usize, out: &mut Vec<u8>) {
    out.extend((count as u32).to_le_bytes());
}
