//! Unlearning: the run as if one volunteer had not taken part, by two methods.
//!
//! ```text
//!   replay     replays the log without the volunteer; weights of the others and the schedule are recomputed
//!   subtract   x <- x - sum of the steps that its updates caused; everything else stays
//! ```
//!
//! Both methods use the updates that the others computed from the original models. Subtraction requires that each
//! update is a step of its own; under `vote` a step depends on all votes.

use farsign::direction::Directions;
use farsign::optimizer::{ApplyError, FarSign, FarSignOptions, Rule};
use farsign::task::VolunteerId;

use crate::store::StoreError;
use crate::store::event::Event;
use crate::store::log::Log;
use crate::store::replay::{ReplayError, apply, restore};

/// A run with and without one volunteer.
#[derive(Debug)]
pub struct Unlearned {
    /// Updates of the volunteer in the log; earlier ones cannot be removed.
    pub updates: u64,
    /// Accepted updates of all volunteers before the log begins.
    pub before_log: u64,
    /// The run with the volunteer.
    pub original: FarSign,
    /// The run replayed without the volunteer.
    pub replayed: FarSign,
    /// The run without the steps of the volunteer; `None` under `vote`.
    pub subtracted: Option<FarSign>,
}

/// Reads the log once, and computes the run without the volunteer by both methods.
///
/// # Errors
/// Returns an error if the log cannot be read.
pub fn unlearn(
    log: &Log,
    options: &FarSignOptions,
    volunteer: VolunteerId,
) -> Result<Unlearned, StoreError> {
    let oldest = log.oldest_checkpoint()?;
    let after = oldest.position.sequence;
    let before_log = oldest.state.accepted;
    let mut original = restore(options.clone(), oldest)?;
    let mut replayed = original.clone();
    replayed.leave(volunteer);
    let mut directions = Directions::new(options.directions, 0);
    let mut moved = vec![0; options.x.len()];
    let fixed_point = original.fixed_point();
    let mut updates = 0;
    log.for_each_event(after, |sequence, event| {
        apply(&mut original, sequence, &event)?;
        if event.volunteer() != volunteer {
            return Ok(replay_without(&mut replayed, sequence, &event)?);
        }
        match &event {
            Event::Join(_) | Event::Leave(_) => {}
            Event::Accepted(_) => {
                updates += 1;
                original
                    .last_step()
                    .take(&mut directions, fixed_point, &mut moved);
            }
            Event::RolledBack { step, .. } => {
                step.take(&mut directions, fixed_point, &mut moved);
            }
        }
        Ok(())
    })?;
    let subtracted = match options.rule {
        Rule::Plain => Some(subtract_updates(options, &original, &moved)?),
        Rule::Vote { .. } => None,
    };
    Ok(Unlearned {
        updates,
        before_log,
        original,
        replayed,
        subtracted,
    })
}

/// Applies an event of another volunteer. Without the removed volunteer the others weigh more, so the replayed run may
/// finish before its last update.
fn replay_without(replayed: &mut FarSign, sequence: u64, event: &Event) -> Result<(), ReplayError> {
    match apply(replayed, sequence, event) {
        Err(ReplayError::Apply {
            source: ApplyError::Finished,
            ..
        }) => Ok(()),
        done => done,
    }
}

fn subtract_updates(
    options: &FarSignOptions,
    original: &FarSign,
    moved: &[i32],
) -> Result<FarSign, StoreError> {
    let mut state = original.state();
    state
        .x
        .iter_mut()
        .zip(moved)
        .for_each(|(x, moved)| *x = x.wrapping_sub(*moved));
    let restored = FarSign::restore(options.clone(), state);
    Ok(restored.map_err(|source| ReplayError::Checkpoint {
        sequence: 0,
        source,
    })?)
}
