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
use crate::keys::{Key, Purpose};
use crate::optimizer::Rule;
use crate::task::TaskId;

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

/// An assigner of a run's tasks. All assigners with the same options and key assign the same.
#[derive(Clone, Debug)]
pub struct Assigner {
    options: AssignmentOptions,
    key: Key,
}

impl Assigner {
    /// Creates an assigner. Its key must be secret: with it, every assignment can be foreseen.
    pub fn new(options: AssignmentOptions, key: Key) -> Self {
        Self { options, key }
    }

    /// Assigns a volunteer's next task, against a version with `accepted` updates of the run.
    pub fn assign(
        &self,
        volunteer: &mut VolunteerAssignment,
        task: TaskId,
        accepted: u64,
    ) -> Assignment {
        let [own_minibatch, own_directions, coin_seed, interval] =
            self.key.words(Purpose::Task, task.0);
        let (minibatch_seed, new_directions) = match self.options.rule {
            Rule::Plain => (own_minibatch, own_directions),
            Rule::Vote { direction_seed, .. } => {
                let window = accepted / self.options.minibatch_window;
                let [shared] = self.key.words(Purpose::Window, window);
                (shared, direction_seed)
            }
        };
        let mut reset_momentum = !volunteer.started;
        volunteer.started = true;
        if volunteer.tasks_left == 0 {
            let zeroth = matches!(self.options.order, Order::Zeroth { .. });
            volunteer.direction_seed = new_directions;
            volunteer.tasks_left = if zeroth {
                self.options.direction_reuse
            } else {
                1
            };
            reset_momentum |= zeroth && self.options.rule == Rule::Plain;
        }
        volunteer.tasks_left -= 1;
        if let Some(resets) = self.options.resets {
            if reset_momentum || volunteer.until_reset == 0 {
                reset_momentum = true;
                volunteer.until_reset = resets.tasks(interval);
            }
            volunteer.until_reset -= 1;
        }
        Assignment {
            minibatch_seed,
            direction_seed: volunteer.direction_seed,
            coin_seed,
            reset_momentum,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::VolunteerId;

    const KEY: Key = Key::new([9; 32]);
    const VOLUNTEER: VolunteerId = VolunteerId(3);

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
        let assigner = Assigner::new(options, KEY);
        let mut volunteer = VolunteerAssignment::default();
        (0..tasks)
            .map(|n| assigner.assign(&mut volunteer, TaskId::new(VOLUNTEER, n + 1), n))
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
    fn assigners_of_one_key_agree() {
        let options = AssignmentOptions {
            order: Order::First,
            rule: Rule::Vote {
                gamma: 0.04,
                direction_seed: 77,
            },
            minibatch_window: 25,
            direction_reuse: 1,
            resets: Some(ResetInterval::VERIFIED),
        };
        let assign = |key, volunteer: u64, accepted| {
            let task = TaskId::new(VolunteerId(volunteer), 1);
            Assigner::new(options, key).assign(&mut VolunteerAssignment::default(), task, accepted)
        };
        assert_eq!(assign(KEY, 1, 30), assign(KEY, 1, 30));
        let (first, second) = (assign(KEY, 1, 30), assign(KEY, 2, 49));
        assert_eq!(first.minibatch_seed, second.minibatch_seed, "one window");
        assert_ne!(first.coin_seed, second.coin_seed);
        let other = assign(Key::new([8; 32]), 1, 30);
        assert_ne!(first.minibatch_seed, other.minibatch_seed);
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
