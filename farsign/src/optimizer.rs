//! The slow timescale: the server's step on every accepted message.
//!
//! ```text
//!   plain   x <- x - alpha_n w_i sum_k a_k s_k
//!   vote    v <- v + gamma w_i (s - v),   x <- x - alpha_n A' sign(v)
//!
//!   x        FarSign::x          parameters, [d]
//!   n        FarSign::accepted   accepted messages
//!   W        FarSign::weight     their weights summed; the clock of alpha
//!   alpha_n  StepSize::at(W)
//!   w_i      Activity::record    equal-activity weight of the sender, times the trust in it
//!   A, a_k   Directions          from the seed the task carried
//!   s        SignBits            what the volunteer sent
//!   v        FarSign::votes      running mean of the votes, [d]
//! ```
//!
//! There are no rounds: a message is applied when it comes, however old the snapshot it was computed from.
//! A message moves each direction by at most `alpha_n * WEIGHT_CAP` (`plain`) or `alpha_n` (`vote`), whatever its
//! bits say. Departures from arXiv 2605.09337 (weights, the clock, `vote`) are listed in docs/algorithm.md.

mod state;

pub use state::{FarSignState, RestoreError};

use crate::activity::Activity;
use crate::direction::{DirectionSpec, Directions};
use crate::schedule::StepSize;
use crate::sign::SignBits;
use crate::step::Step;
use crate::task::VolunteerId;

/// How a message moves the model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// Every message is a step of its own (FAR-SIGN).
    Plain,
    /// Messages move a running vote, and the step follows the sign of it. Tasks share minibatches in windows and
    /// directions for the whole run.
    Vote {
        /// Rate at which votes replace older ones, `gamma`, in `(0, 1]`.
        gamma: f32,
        /// Seed of the run's directions.
        direction_seed: u64,
    },
}

/// A volunteer's answer, checked against its task.
#[derive(Clone, Copy, Debug)]
pub struct Contribution<'a> {
    /// Who sent it.
    pub volunteer: VolunteerId,
    /// Seed of the directions of the task it answers.
    pub direction_seed: u64,
    /// Factor on the weight of the sender, finite and above 0; 1 where senders are not judged.
    pub trust: f32,
    /// One sign per direction.
    pub signs: &'a SignBits,
}

/// What a contribution did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Applied {
    /// Its number among accepted messages, `n`, from 1.
    pub message: u64,
    /// Its weight, `w_i`.
    pub weight: f32,
    /// The step size it was applied with, `alpha_n`.
    pub alpha: f32,
}

/// Why a contribution was not applied. The model is as it was.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum ApplyError {
    /// Not one sign per direction.
    #[error("expected {expected} signs, found {found}")]
    SignCount {
        /// `K`.
        expected: usize,
        /// Signs in the message.
        found: usize,
    },
    /// A trust that is no weight.
    #[error("expected a finite trust above 0, found {found}")]
    Trust {
        /// The trust.
        found: f32,
    },
    /// The schedule has come to its end.
    #[error("the run is finished")]
    Finished,
}

/// Why a step was not undone. The model is as it was.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum UndoError {
    /// Not one sign per direction.
    #[error("expected {expected} signs, found {found}")]
    SignCount {
        /// `K`.
        expected: usize,
        /// Signs in the step.
        found: usize,
    },
    /// The step is infinite, or not a number.
    #[error("expected a finite scale, found {found}")]
    Scale {
        /// The scale.
        found: f32,
    },
}

/// What an optimizer is started with.
#[derive(Clone, Debug)]
pub struct FarSignOptions {
    /// Parameters to start from, `[d]`.
    pub x: Vec<f32>,
    /// Directions of each message; `d` as in `x`.
    pub directions: DirectionSpec,
    /// Step size.
    pub step_size: StepSize,
    /// How messages move the model.
    pub rule: Rule,
}

/// The optimizer: parameters and everything that decides the next step.
#[derive(Clone, Debug)]
pub struct FarSign {
    x: Vec<f32>,
    accepted: u64,
    weight: f64,
    activity: Activity,
    directions: Directions,
    step_size: StepSize,
    rule: Rule,
    /// `vote`: the running mean of the votes.
    votes: Vec<f32>,
    /// The step taken last, in a buffer that is used again.
    last_step: Step,
}

impl FarSign {
    /// An optimizer before its first message.
    ///
    /// # Panics
    /// When `x` is not as long as `directions` says.
    pub fn new(options: FarSignOptions) -> Self {
        let FarSignOptions { x, directions, step_size, rule } = options;
        assert_eq!(x.len(), directions.parameters(), "x and the directions are of one model");
        let (votes, seed) = match rule {
            Rule::Plain => (Vec::new(), 0),
            Rule::Vote { direction_seed, .. } => (vec![0.0; directions.count()], direction_seed),
        };
        let directions = Directions::new(directions, seed);
        Self {
            x,
            accepted: 0,
            weight: 0.0,
            activity: Activity::default(),
            directions,
            step_size,
            rule,
            votes,
            last_step: Step::default(),
        }
    }

    /// Takes up a volunteer.
    pub fn join(&mut self, volunteer: VolunteerId) {
        self.activity.join(volunteer, self.accepted);
    }

    /// Forgets a volunteer.
    pub fn leave(&mut self, volunteer: VolunteerId) {
        self.activity.leave(volunteer);
    }

    /// Applies a contribution.
    ///
    /// # Errors
    /// When it has the wrong number of signs or an impossible trust, or the run is finished; nothing has changed then.
    pub fn apply(&mut self, contribution: Contribution<'_>) -> Result<Applied, ApplyError> {
        let (expected, found) = (self.directions.spec().count(), contribution.signs.count());
        if found != expected {
            return Err(ApplyError::SignCount { expected, found });
        }
        if !(contribution.trust > 0.0 && contribution.trust.is_finite()) {
            return Err(ApplyError::Trust { found: contribution.trust });
        }
        if self.is_finished() {
            return Err(ApplyError::Finished);
        }
        let alpha = self.step_size.at(self.weight);
        let message = self.accepted + 1;
        let weight = self.activity.record(contribution.volunteer, message, contribution.trust);
        match self.rule {
            Rule::Plain => {
                self.last_step.direction_seed = contribution.direction_seed;
                self.last_step.scale = -alpha * weight;
                self.last_step.signs.clone_from(contribution.signs);
            }
            Rule::Vote { gamma, direction_seed } => {
                self.vote(contribution.signs, gamma * weight);
                (self.last_step.direction_seed, self.last_step.scale) = (direction_seed, -alpha);
                self.last_step.signs.set_from(&self.votes, self.accepted);
            }
        }
        self.last_step.take(&mut self.directions, &mut self.x);
        self.accepted = message;
        self.weight += f64::from(weight);
        Ok(Applied { message, weight, alpha })
    }

    /// Takes a step that takes back an earlier one, or a part of it: the same directions and signs, and a scale of the
    /// opposite sign. It is no message: it has no number and no weight, the votes and the clock stay as they are.
    /// [`FarSign::last_step`] gives it, so that it goes out to volunteers as any other step.
    ///
    /// # Errors
    /// When it is no step of this model; nothing has changed then.
    pub fn undo(&mut self, step: &Step) -> Result<(), UndoError> {
        let (expected, found) = (self.directions.spec().count(), step.signs.count());
        if found != expected {
            return Err(UndoError::SignCount { expected, found });
        }
        if !step.scale.is_finite() {
            return Err(UndoError::Scale { found: step.scale });
        }
        (self.last_step.direction_seed, self.last_step.scale) = (step.direction_seed, step.scale);
        self.last_step.signs.clone_from(&step.signs);
        self.last_step.take(&mut self.directions, &mut self.x);
        Ok(())
    }

    fn vote(&mut self, signs: &SignBits, rate: f32) {
        let rate = if rate < 1.0 { rate } else { 1.0 };
        signs.combine_into(&mut self.votes, |v, s| v + rate * (s - v));
    }

    /// The step taken last: the one the last accepted message led to, or the one that undid another.
    pub fn last_step(&self) -> &Step {
        &self.last_step
    }

    /// Parameters, `[d]`.
    pub fn x(&self) -> &[f32] {
        &self.x
    }

    /// Signs a message has, `K`.
    pub fn directions(&self) -> usize {
        self.directions.spec().count()
    }

    /// Accepted messages, `n`.
    pub fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Volunteers whose messages came lately.
    pub fn active(&self) -> usize {
        self.activity.active()
    }

    /// Share of the schedule that is done, 0 to 1; none when it has no end.
    pub fn progress(&self) -> Option<f64> {
        self.step_size.progress(self.weight)
    }

    /// Whether the schedule has come to its end, so that further messages would change nothing.
    pub fn is_finished(&self) -> bool {
        self.progress() == Some(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::direction::DirectionFamily;
    use crate::random::Stream;
    use crate::schedule::Decay;

    fn optimizer(d: usize, rule: Rule, decay: Decay) -> FarSign {
        let directions = DirectionSpec::new(DirectionFamily::Coordinate, d, d).unwrap();
        let step_size = StepSize { initial: 0.01, decay };
        FarSign::new(FarSignOptions { x: vec![0.0; d], directions, step_size, rule })
    }

    fn signs(y: &[f32]) -> SignBits {
        let mut signs = SignBits::default();
        signs.set_from(y, 0);
        signs
    }

    /// Minimizes `|x - target|^2 / 2` where every gradient is seen through noise and a share of senders lie.
    fn distance_after(rule: Rule, messages: u64, liars: u64, senders: u64) -> f32 {
        let target: Vec<f32> = (0..40).map(|i| (i as f32 - 20.0) / 20.0).collect();
        let mut optimizer = optimizer(40, rule, Decay::Cosine { horizon: messages as f64 * 1.01 });
        let mut stream = Stream::new(11);
        for _ in 0..messages {
            let sender = stream.below(senders);
            let lie = if sender < liars { -1.0 } else { 1.0 };
            let noisy = |(x, t): (&f32, &f32)| lie * (x - t + 0.2 * (stream.unit() - 0.5));
            let gradient: Vec<f32> = optimizer.x().iter().zip(&target).map(noisy).collect();
            let signs = signs(&gradient);
            let volunteer = VolunteerId(sender);
            optimizer
                .apply(Contribution { volunteer, direction_seed: 0, trust: 1.0, signs: &signs })
                .unwrap();
        }
        let squares = optimizer.x().iter().zip(&target).map(|(x, t)| (x - t) * (x - t));
        (squares.sum::<f32>() / 40.0).sqrt()
    }

    #[test]
    fn both_rules_converge_and_stand_a_minority_of_liars() {
        for rule in [Rule::Plain, Rule::Vote { gamma: 0.04, direction_seed: 0 }] {
            let (clean, attacked) = (distance_after(rule, 3000, 0, 10), distance_after(rule, 3000, 3, 10));
            assert!(clean < 0.02, "{rule:?}: {clean} away after a clean run");
            assert!(attacked < 0.05, "{rule:?}: {attacked} away with 3 liars of 10");
            let captured = distance_after(rule, 3000, 7, 10);
            assert!(captured > 0.5, "{rule:?}: 7 liars of 10 should win, yet {captured} away");
        }
    }

    #[test]
    fn a_message_moves_a_direction_by_its_weighted_step_only() {
        let mut optimizer = optimizer(9, Rule::Plain, Decay::Constant);
        let signs = signs(&[1.0; 9]);
        let contribution =
            Contribution { volunteer: VolunteerId(1), direction_seed: 5, trust: 1.0, signs: &signs };
        let applied = optimizer.apply(contribution).unwrap();
        assert_eq!(applied, Applied { message: 1, weight: 1.0, alpha: 0.01 });
        assert!(optimizer.x().iter().all(|x| *x == -0.01));
    }

    #[test]
    fn a_wrong_count_and_a_finished_run_change_nothing() {
        let mut optimizer = optimizer(9, Rule::Plain, Decay::Cosine { horizon: 1.0 });
        let (short, right) = (signs(&[1.0; 8]), signs(&[1.0; 9]));
        let from = |signs| Contribution { volunteer: VolunteerId(1), direction_seed: 5, trust: 1.0, signs };
        assert_eq!(optimizer.apply(from(&short)), Err(ApplyError::SignCount { expected: 9, found: 8 }));
        assert_eq!(optimizer.accepted(), 0);
        optimizer.apply(from(&right)).unwrap();
        let before = optimizer.x().to_vec();
        assert_eq!(optimizer.apply(from(&right)), Err(ApplyError::Finished));
        assert_eq!((optimizer.x(), optimizer.accepted()), (&before[..], 1));
    }

    #[test]
    fn trust_scales_the_step_and_the_clock_and_an_impossible_one_changes_nothing() {
        let mut optimizer = optimizer(9, Rule::Plain, Decay::Cosine { horizon: 100.0 });
        let signs = signs(&[1.0; 9]);
        let trusted =
            |trust| Contribution { volunteer: VolunteerId(1), direction_seed: 5, trust, signs: &signs };
        for trust in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            let error = optimizer.apply(trusted(trust)).unwrap_err();
            assert!(
                matches!(error, ApplyError::Trust { .. }) && optimizer.accepted() == 0,
                "{trust}: {error}"
            );
        }
        assert_eq!(optimizer.apply(trusted(0.25)).unwrap().weight, 0.25);
        assert!(optimizer.x().iter().all(|x| *x == -0.0025));
        assert_eq!(optimizer.progress(), Some(0.0025));
    }

    #[test]
    fn an_undone_step_moves_only_the_parameters_and_goes_out_as_a_step() {
        let mut optimizer = optimizer(9, Rule::Plain, Decay::Constant);
        let (up, short) = (signs(&[1.0; 9]), signs(&[1.0; 8]));
        let from = |signs| Contribution { volunteer: VolunteerId(1), direction_seed: 5, trust: 1.0, signs };
        optimizer.apply(from(&up)).unwrap();
        let taken = optimizer.last_step().clone();
        let wrong = |scale, signs: &SignBits| Step { direction_seed: 5, scale, signs: signs.clone() };
        assert_eq!(optimizer.undo(&wrong(1.0, &short)), Err(UndoError::SignCount { expected: 9, found: 8 }));
        assert_eq!(
            optimizer.undo(&wrong(f32::INFINITY, &up)),
            Err(UndoError::Scale { found: f32::INFINITY })
        );
        assert!(optimizer.last_step() == &taken && optimizer.x().iter().all(|x| *x == -0.01));
        let before = FarSignState { x: vec![0.0; 9], ..optimizer.state() };
        let undo = Step { scale: -taken.scale, ..taken };
        optimizer.undo(&undo).unwrap();
        assert_eq!((optimizer.state(), optimizer.last_step()), (before, &undo));
    }

    #[test]
    fn votes_follow_the_majority_of_what_came_lately() {
        let rule = Rule::Vote { gamma: 0.2, direction_seed: 0 };
        let mut optimizer = optimizer(1, rule, Decay::Constant);
        let (up, down) = (signs(&[1.0]), signs(&[-1.0]));
        for message in 0..60 {
            let signs = if message % 3 == 0 { &down } else { &up };
            let volunteer = VolunteerId(message % 3);
            optimizer.apply(Contribution { volunteer, direction_seed: 0, trust: 1.0, signs }).unwrap();
        }
        // Two of three vote up, so nearly all sixty steps go down, not just a third net.
        assert!(optimizer.x()[0] < -0.4, "x is {}", optimizer.x()[0]);
    }
}
