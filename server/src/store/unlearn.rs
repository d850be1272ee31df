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
use farsign::learner::{Learner, LearnerEvent, Record};
use farsign::optimizer::{FarSignState, Rule};
use farsign::task::VolunteerId;

use crate::store::StoreError;
use crate::store::replay::ReplayOptions;
use crate::store::run_database::RunDatabase;

/// A run with and without one volunteer.
#[derive(Debug)]
pub struct Unlearned {
    /// Updates of the volunteer in the log; earlier ones cannot be removed.
    pub updates: u64,
    /// Accepted updates of all volunteers before the log begins.
    pub before_log: u64,
    /// The run with the volunteer.
    pub original: Learner,
    /// The run replayed without the volunteer.
    pub replayed: Learner,
    /// The model without the steps of the volunteer; `None` under `vote`.
    pub subtracted: Option<FarSignState>,
}

/// Reads the log once, and computes the run without the volunteer by both methods.
///
/// # Errors
/// Returns an error if the log cannot be read.
pub fn unlearn(
    log: &RunDatabase,
    options: &ReplayOptions,
    volunteer: VolunteerId,
) -> Result<Unlearned, StoreError> {
    let options = &options.for_log(log);
    let oldest = log.oldest_checkpoint()?;
    let after = oldest.position.sequence;
    let before_log = oldest.accepted();
    let mut original = options.restore(oldest.clone())?;
    let mut replayed = options.restore(oldest)?;
    replayed.forget_volunteer(volunteer);
    let mut moved = Steps::new(options, volunteer);
    log.for_each_record(after, |_, record| {
        moved.take(&mut original, &record);
        if is_of(&record, volunteer, replayed.position() + 1) {
            replayed.pass_over();
        } else {
            replayed.take(&record);
        }
        replayed.drop_outputs();
        Ok(())
    })?;
    let subtracted = match options.optimizer.rule {
        Rule::Plain => Some(moved.subtract_from(&original)),
        Rule::Vote { .. } => None,
    };
    Ok(Unlearned {
        updates: moved.updates,
        before_log,
        original,
        replayed,
        subtracted,
    })
}

/// Returns whether a record at a position is about this volunteer.
fn is_of(record: &Record, removed: VolunteerId, position: u64) -> bool {
    match record {
        Record::Join { .. } => removed.0 == position,
        Record::Update { volunteer, .. }
        | Record::Eject { volunteer, .. }
        | Record::Leave(volunteer) => *volunteer == removed,
        Record::Verdict(verdict) => verdict.volunteer == removed,
        Record::VerifyProbability(_) | Record::GatewayLost(_) => false,
    }
}

/// The sum of a volunteer's steps.
struct Steps<'a> {
    options: &'a ReplayOptions,
    volunteer: VolunteerId,
    updates: u64,
    directions: Directions,
    /// In units, `[d]`.
    moved: Vec<i32>,
}

impl<'a> Steps<'a> {
    fn new(options: &'a ReplayOptions, volunteer: VolunteerId) -> Self {
        Self {
            volunteer,
            updates: 0,
            directions: Directions::new(options.optimizer.directions, 0),
            moved: vec![0; options.optimizer.x.len()],
            options,
        }
    }

    /// Lets the learner take a record, and adds the steps of the volunteer that this leads to.
    fn take(&mut self, learner: &mut Learner, record: &Record) {
        let accepted = learner.optimizer().accepted();
        learner.take(record);
        let is_update =
            matches!(record, Record::Update { volunteer, .. } if *volunteer == self.volunteer);
        let fixed_point = self.options.optimizer.fixed_point;
        if is_update && learner.optimizer().accepted() > accepted {
            self.updates += 1;
            let step = learner.optimizer().last_step();
            step.take(&mut self.directions, fixed_point, &mut self.moved);
        }
        while let Some(event) = learner.poll_event() {
            if let LearnerEvent::RolledBack { volunteer, step } = event
                && volunteer == self.volunteer
            {
                step.take(&mut self.directions, fixed_point, &mut self.moved);
            }
        }
        learner.drop_outputs();
    }

    fn subtract_from(&self, learner: &Learner) -> FarSignState {
        let mut state = learner.optimizer().state();
        let parameters = state.x.iter_mut().zip(&self.moved);
        parameters.for_each(|(x, moved)| *x = x.wrapping_sub(*moved));
        state
    }
}
