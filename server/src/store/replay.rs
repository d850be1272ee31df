//! Replay of saved events, through the code that ran the first time.

use farsign::optimizer::{
    ApplyError, FarSign, FarSignOptions, RestoreError, RollbackError, SignUpdate,
};

use crate::store::StoreError;
use crate::store::event::{Accepted, Checkpoint, Event};
use crate::store::log::Log;

/// An inconsistency between events, checkpoints and settings. `sequence` is the number of the event.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs)]
pub enum ReplayError {
    #[error("its checkpoint {sequence} is not of this run: {source}")]
    Checkpoint { sequence: u64, source: RestoreError },
    #[error("its event {sequence} cannot have been accepted: {source}")]
    Apply { sequence: u64, source: ApplyError },
    #[error("its event {sequence} cannot have been rolled back: {source}")]
    Rollback {
        sequence: u64,
        source: RollbackError,
    },
}

/// Restores the optimizer of a checkpoint.
///
/// # Errors
/// Returns an error if the checkpoint is impossible under these options.
pub fn restore(options: FarSignOptions, checkpoint: Checkpoint) -> Result<FarSign, ReplayError> {
    let sequence = checkpoint.position.sequence;
    FarSign::restore(options, checkpoint.state)
        .map_err(|source| ReplayError::Checkpoint { sequence, source })
}

/// Applies event number `sequence` to the optimizer.
///
/// # Errors
/// Returns an error if the event contradicts the state; the optimizer is then unchanged.
pub fn apply(optimizer: &mut FarSign, sequence: u64, event: &Event) -> Result<(), ReplayError> {
    match event {
        Event::Join(volunteer) => optimizer.join(*volunteer),
        Event::Leave(volunteer) => optimizer.leave(*volunteer),
        Event::Accepted(Accepted {
            volunteer,
            task,
            trust,
            signs,
        }) => {
            let update = SignUpdate {
                volunteer: *volunteer,
                direction_seed: task.direction_seed,
                trust: *trust,
                signs,
            };
            optimizer
                .apply(update)
                .map_err(|source| ReplayError::Apply { sequence, source })?;
        }
        Event::RolledBack { step, .. } => {
            optimizer
                .rollback(step)
                .map_err(|source| ReplayError::Rollback { sequence, source })?;
        }
    }
    Ok(())
}

/// Replays the log from one of its checkpoints to its end.
///
/// # Errors
/// Returns an error if the log cannot be read, or does not continue the checkpoint.
pub fn replay(log: &Log, options: FarSignOptions, from: Checkpoint) -> Result<FarSign, StoreError> {
    let after = from.position.sequence;
    let mut optimizer = restore(options, from)?;
    log.for_each_event(after, |sequence, event| {
        Ok(apply(&mut optimizer, sequence, &event)?)
    })?;
    Ok(optimizer)
}
