//! The run as if a volunteer had not been there, in two ways.
//!
//! ```text
//!   replay     everything again without the volunteer: the others' weights and the clock become what they would have been
//!   subtract   x <- x - sum of the steps that its contributions led to; all else stays as it is
//! ```
//!
//! Neither is what the others would have sent to other models: their answers are those to the model that was. Subtracting
//! is possible where each contribution is a step of its own; under `vote` a step belongs to all who voted.

use farsign::direction::Directions;
use farsign::optimizer::{ApplyError, FarSign, FarSignOptions, Rule};
use farsign::task::VolunteerId;

use super::StoreError;
use super::event::Event;
use super::log::Log;
use super::replay::{ReplayError, apply, restore};

/// A run with and without a volunteer.
#[derive(Debug)]
pub struct Evicted {
    /// Contributions of the volunteer in the log; those before its beginning cannot be taken out.
    pub contributions: u64,
    /// Accepted contributions of everybody before the log begins.
    pub before_log: u64,
    /// The run as it is.
    pub whole: FarSign,
    /// Everything again without it.
    pub replayed: FarSign,
    /// Without the steps that its contributions led to; none under `vote`.
    pub subtracted: Option<FarSign>,
}

/// Goes through the log once, with the volunteer and without it.
///
/// # Errors
/// When the log cannot be read.
pub fn evict(log: &Log, options: &FarSignOptions, volunteer: VolunteerId) -> Result<Evicted, StoreError> {
    let oldest = log.oldest_checkpoint()?;
    let (after, before_log) = (oldest.head.sequence, oldest.state.accepted);
    let mut whole = restore(options.clone(), oldest)?;
    let mut replayed = whole.clone();
    replayed.leave(volunteer);
    let mut directions = Directions::new(options.directions, 0);
    let (mut moved, mut contributions) = (vec![0.0; options.x.len()], 0);
    log.for_each_event(after, |sequence, event| {
        apply(&mut whole, sequence, &event)?;
        if event.volunteer() != volunteer {
            return Ok(without_it(&mut replayed, sequence, &event)?);
        }
        match &event {
            Event::Join(_) | Event::Leave(_) => {}
            Event::Accepted(_) => {
                contributions += 1;
                whole.last_step().take(&mut directions, &mut moved);
            }
            Event::Undone { step, .. } => step.take(&mut directions, &mut moved),
        }
        Ok(())
    })?;
    let subtracted = match options.rule {
        Rule::Plain => Some(subtract(options, &whole, &moved)?),
        Rule::Vote { .. } => None,
    };
    Ok(Evicted { contributions, before_log, whole, replayed, subtracted })
}

/// Others weigh more without it, so the run may be at its end before its last contribution.
fn without_it(replayed: &mut FarSign, sequence: u64, event: &Event) -> Result<(), ReplayError> {
    match apply(replayed, sequence, event) {
        Err(ReplayError::Apply { source: ApplyError::Finished, .. }) => Ok(()),
        done => done,
    }
}

fn subtract(options: &FarSignOptions, whole: &FarSign, moved: &[f32]) -> Result<FarSign, StoreError> {
    let mut state = whole.state();
    state.x.iter_mut().zip(moved).for_each(|(x, moved)| *x -= moved);
    let restored = FarSign::restore(options.clone(), state);
    Ok(restored.map_err(|source| ReplayError::Checkpoint { sequence: 0, source })?)
}
