//! Assignment of minibatches, directions, coins and momentum resets.
//!
//! Only the server chooses them. Otherwise an attacker could choose those that suit its attack.
//!
//! ```text
//!   minibatch    a new seed per task; under `vote` one seed per window of accepted updates
//!   directions   a new seed per task; under `vote` one for the run; in zeroth order one per `direction_reuse` tasks
//!   coins        a new seed per task
//!   reset        at a session's first task, when zeroth-order directions change (momentum is per direction), and,
//!                for verification, every few tasks
//! ```

use crate::estimate::Order;
use crate::optimizer::Rule;

/// Options of the assignment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AssignmentOptions {
    /// Order of the estimator.
    pub order: Order,
    /// Rule by which updates move the model.
    pub rule: Rule,
    /// `vote`: accepted updates that share a minibatch, at least 1.
    pub minibatch_window: u64,
    /// Zeroth order: consecutive tasks of a volunteer that share directions, at least 1.
    pub direction_reuse: u32,
    /// Tasks between two momentum resets. `None` if momentum is reset only when required.
    pub resets: Option<ResetInterval>,
}

/// A range of tasks from one momentum reset to the next. Each interval is drawn anew, so that no volunteer can predict
/// its last task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResetInterval {
    /// Smallest number of tasks, at least 1.
    pub min: u32,
    /// Largest number of tasks, at least `min`.
    pub max: u32,
}

impl ResetInterval {
    /// The interval of runs with verification: short enough that a verification recomputes few updates.
    pub const VERIFIED: Self = Self { min: 4, max: 12 };

    fn tasks(self, bits: u64) -> u32 {
        self.min + (bits % u64::from(self.max - self.min + 1)) as u32
    }
}

/// Denominator of the fraction of the active volunteers whose updates lead to a new version. Updates are a 16th staler
/// than with a version per update, but a large fleet does not copy the parameters for each one.
const SNAPSHOT_FRACTION_DENOMINATOR: usize = 16;

/// Returns the least number of updates between two versions, for a number of active volunteers.
pub fn updates_between_snapshots(active: usize) -> u64 {
    active.div_ceil(SNAPSHOT_FRACTION_DENOMINATOR) as u64
}

/// The assigned part of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Seed of the minibatch.
    pub minibatch_seed: u64,
    /// Seed of the directions.
    pub direction_seed: u64,
    /// Seed of the coins.
    pub coin_seed: u64,
    /// Whether the volunteer resets its momentum before the task.
    pub reset_momentum: bool,
}

/// The assignment state of one volunteer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VolunteerAssignment {
    direction_seed: u64,
    /// Number of further tasks with these directions.
    tasks_left: u32,
    /// Number of tasks before the next regular reset.
    until_reset: u32,
    started: bool,
}

/// An assigner of a run's tasks.
#[derive(Clone, Debug)]
pub struct Assigner {
    options: AssignmentOptions,
    /// Number and seed of the current minibatch window.
    window: Option<(u64, u64)>,
}

impl Assigner {
    /// Creates an assigner.
    pub fn new(options: AssignmentOptions) -> Self {
        Self::restore(options, None)
    }

    /// Restores an assigner with the same options from its [`Assigner::window`].
    pub fn restore(options: AssignmentOptions, window: Option<(u64, u64)>) -> Self {
        Self { options, window }
    }

    /// Returns number and seed of the current minibatch window; `None` except under `vote`.
    ///
    /// With the options and the generator, it determines the assignments of volunteers that join later.
    pub fn window(&self) -> Option<(u64, u64)> {
        self.window
    }

    /// Assigns a volunteer's next task after `accepted` updates of the run. `draw` returns unpredictable bits.
    pub fn assign(
        &mut self,
        volunteer: &mut VolunteerAssignment,
        accepted: u64,
        mut draw: impl FnMut() -> u64,
    ) -> Assignment {
        let (minibatch_seed, held_seed) = match self.options.rule {
            Rule::Plain => (draw(), None),
            Rule::Vote { direction_seed, .. } => (
                self.window_seed(accepted / self.options.minibatch_window, &mut draw),
                Some(direction_seed),
            ),
        };
        let mut reset_momentum = !volunteer.started;
        volunteer.started = true;
        if volunteer.tasks_left == 0 {
            let zeroth = matches!(self.options.order, Order::Zeroth { .. });
            volunteer.direction_seed = held_seed.unwrap_or_else(&mut draw);
            volunteer.tasks_left = if zeroth {
                self.options.direction_reuse
            } else {
                1
            };
            reset_momentum |= zeroth && held_seed.is_none();
        }
        volunteer.tasks_left -= 1;
        if let Some(interval) = self.options.resets {
            if reset_momentum || volunteer.until_reset == 0 {
                reset_momentum = true;
                volunteer.until_reset = interval.tasks(draw());
            }
            volunteer.until_reset -= 1;
        }
        let direction_seed = volunteer.direction_seed;
        Assignment {
            minibatch_seed,
            direction_seed,
            coin_seed: draw(),
            reset_momentum,
        }
    }

    fn window_seed(&mut self, number: u64, draw: &mut impl FnMut() -> u64) -> u64 {
        match self.window {
            Some((current, seed)) if current == number => seed,
            _ => self.window.insert((number, draw())).1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assign(order: Order, rule: Rule, tasks: u64) -> Vec<Assignment> {
        assign_with_resets(order, rule, tasks, None)
    }

    fn assign_with_resets(
        order: Order,
        rule: Rule,
        tasks: u64,
        resets: Option<ResetInterval>,
    ) -> Vec<Assignment> {
        let options = AssignmentOptions {
            order,
            rule,
            minibatch_window: 25,
            direction_reuse: 3,
            resets,
        };
        let mut assigner = Assigner::new(options);
        let mut volunteer = VolunteerAssignment::default();
        let mut next = 0;
        let mut draw = || {
            next += 1;
            next
        };
        (0..tasks)
            .map(|n| assigner.assign(&mut volunteer, n, &mut draw))
            .collect()
    }

    fn distinct(seeds: impl Iterator<Item = u64>) -> usize {
        seeds.collect::<std::collections::BTreeSet<_>>().len()
    }

    #[test]
    fn plain_first_order_shares_nothing() {
        let tasks = assign(Order::First, Rule::Plain, 60);
        assert_eq!(distinct(tasks.iter().map(|t| t.minibatch_seed)), 60);
        assert_eq!(distinct(tasks.iter().map(|t| t.direction_seed)), 60);
        assert_eq!(distinct(tasks.iter().map(|t| t.coin_seed)), 60);
        assert_eq!(tasks.iter().filter(|t| t.reset_momentum).count(), 1);
        assert!(tasks[0].reset_momentum);
    }

    #[test]
    fn regular_resets_cover_their_interval() {
        let resets = Some(ResetInterval { min: 4, max: 12 });
        let tasks = assign_with_resets(Order::First, Rule::Plain, 2000, resets);
        let at: Vec<usize> = (0..tasks.len())
            .filter(|n| tasks[*n].reset_momentum)
            .collect();
        let distances: std::collections::BTreeSet<_> =
            at.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!((at[0], distances), (0, (4..=12).collect()));
    }

    #[test]
    fn vote_shares_minibatches_and_directions() {
        let tasks = assign(
            Order::First,
            Rule::Vote {
                gamma: 0.04,
                direction_seed: 77,
            },
            60,
        );
        assert!(tasks.iter().all(|t| t.direction_seed == 77));
        for (n, pair) in tasks.windows(2).enumerate() {
            assert_eq!(
                pair[0].minibatch_seed == pair[1].minibatch_seed,
                (n + 1) % 25 != 0,
                "update {n}"
            );
        }
    }

    #[test]
    fn restored_assigner_keeps_window() {
        let rule = Rule::Vote {
            gamma: 0.04,
            direction_seed: 77,
        };
        let options = AssignmentOptions {
            order: Order::First,
            rule,
            minibatch_window: 25,
            direction_reuse: 1,
            resets: None,
        };
        let mut assigner = Assigner::new(options);
        let before = assigner.assign(&mut VolunteerAssignment::default(), 30, || 5);
        let mut restored = Assigner::restore(options, assigner.window());
        let after = restored.assign(&mut VolunteerAssignment::default(), 31, || 6);
        assert_eq!(
            (before.minibatch_seed, after.minibatch_seed, after.coin_seed),
            (5, 5, 6)
        );
    }

    #[test]
    fn changed_directions_reset_momentum() {
        let tasks = assign(Order::Zeroth { delta: 1e-3 }, Rule::Plain, 12);
        for (n, task) in tasks.iter().enumerate() {
            assert_eq!(task.reset_momentum, n % 3 == 0, "task {n}");
            assert_eq!(
                task.direction_seed,
                tasks[n - n % 3].direction_seed,
                "task {n}"
            );
        }
        assert_eq!(distinct(tasks.iter().map(|t| t.direction_seed)), 4);
    }
}
