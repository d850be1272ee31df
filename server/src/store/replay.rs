//! From what was saved back to an optimizer, through the code that ran the first time.

use farsign::optimizer::{ApplyError, Contribution, FarSign, FarSignOptions, RestoreError, UndoError};

use super::StoreError;
use super::event::{Accepted, Checkpoint, Event};
use super::log::Log;

/// Why events and checkpoints are none of one run.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ReplayError {
    /// The state is impossible under the run's settings.
    #[error("its checkpoint {sequence} is not of this run: {source}")]
    Checkpoint {
        /// Its number.
        sequence: u64,
        /// Why.
        source: RestoreError,
    },
    /// A contribution that was accepted then is not accepted now.
    #[error("its event {sequence} cannot have been accepted: {source}")]
    Apply {
        /// Its number.
        sequence: u64,
        /// Why.
        source: ApplyError,
    },
    /// A step that was undone then cannot be undone now.
    #[error("its event {sequence} cannot have been undone: {source}")]
    Undo {
        /// Its number.
        sequence: u64,
        /// Why.
        source: UndoError,
    },
}

/// The optimizer of a checkpoint.
///
/// # Errors
/// When the checkpoint is not one of a run with these options.
pub fn restore(options: FarSignOptions, checkpoint: Checkpoint) -> Result<FarSign, ReplayError> {
    let sequence = checkpoint.head.sequence;
    FarSign::restore(options, checkpoint.state).map_err(|source| ReplayError::Checkpoint { sequence, source })
}

/// Does to the optimizer what event number `sequence` did the first time.
///
/// # Errors
/// When it cannot have done that; nothing has changed then.
pub fn apply(optimizer: &mut FarSign, sequence: u64, event: &Event) -> Result<(), ReplayError> {
    match event {
        Event::Join(volunteer) => optimizer.join(*volunteer),
        Event::Leave(volunteer) => optimizer.leave(*volunteer),
        Event::Accepted(Accepted { volunteer, direction_seed, trust, signs, .. }) => {
            let (volunteer, direction_seed, trust) = (*volunteer, *direction_seed, *trust);
            let contribution = Contribution { volunteer, direction_seed, trust, signs };
            optimizer.apply(contribution).map_err(|source| ReplayError::Apply { sequence, source })?;
        }
        Event::Undone { step, .. } => {
            optimizer.undo(step).map_err(|source| ReplayError::Undo { sequence, source })?;
        }
    }
    Ok(())
}

/// The optimizer at the end of the log, from this checkpoint of it.
///
/// # Errors
/// When the log cannot be read, or does not lead there.
pub fn replay(log: &Log, options: FarSignOptions, from: Checkpoint) -> Result<FarSign, StoreError> {
    let after = from.head.sequence;
    let mut optimizer = restore(options, from)?;
    log.for_each_event(after, |sequence, event| Ok(apply(&mut optimizer, sequence, &event)?))?;
    Ok(optimizer)
}
