//! What the server assigns: minibatch, directions, coins, tracker resets.
//!
//! A volunteer never chooses any of them, or it could choose what suits its lie.
//!
//! ```text
//!   minibatch    a seed of its own for each task; under `vote` one seed for each window of accepted messages
//!   directions   a seed of its own for each task; under `vote` one for the run; in zeroth order one for `hold` tasks
//!   coins        a seed of its own for each task
//!   reset        at a session's first task, when zeroth-order directions change (their tracker is per direction), and,
//!                so that answers can be computed again, every few tasks
//! ```

use crate::estimate::Order;
use crate::optimizer::Rule;

/// How tasks are assigned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AssignmentOptions {
    /// What a volunteer computes.
    pub order: Order,
    /// How messages move the model.
    pub rule: Rule,
    /// `vote`: accepted messages that share a minibatch, at least 1.
    pub minibatch_window: u64,
    /// Zeroth order: tasks of a volunteer that share directions, at least 1.
    pub direction_hold: u32,
    /// Tasks between two resets of a tracker; none: it is not reset without need.
    pub resets: Option<ResetInterval>,
}

/// Tasks from one reset of a tracker to the next, drawn anew each time so that nobody knows which task is the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResetInterval {
    /// At least so many, and at least 1.
    pub least: u32,
    /// At most so many.
    pub most: u32,
}

impl ResetInterval {
    /// That of a run whose answers are checked: short enough that a check has few answers to compute again.
    pub const CHECKED: Self = Self { least: 4, most: 12 };

    fn tasks(self, bits: u64) -> u32 {
        self.least + (bits % u64::from(self.most - self.least + 1)) as u32
    }
}

/// A snapshot is made when the answers since the last are this part of the active volunteers. An answer is then
/// a 16th staler than it would be otherwise, and a large fleet does not copy the parameters for every answer.
const PUBLISHED_PART: usize = 16;

/// Answers from one snapshot that tasks are issued against to the next, of so many active volunteers.
pub fn answers_between_snapshots(active: usize) -> u64 {
    active.div_ceil(PUBLISHED_PART) as u64
}

/// What a task is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Draws the minibatch.
    pub minibatch_seed: u64,
    /// Draws the directions.
    pub direction_seed: u64,
    /// Draws the coins.
    pub coin_seed: u64,
    /// Whether the volunteer's tracker forgets what it has.
    pub reset_tracker: bool,
}

/// What was assigned to one volunteer last.
#[derive(Clone, Copy, Debug, Default)]
pub struct VolunteerAssignment {
    direction_seed: u64,
    /// Tasks that still have these directions.
    tasks_left: u32,
    /// Tasks before the next regular reset.
    until_reset: u32,
    started: bool,
}

/// Assigns tasks for a run.
#[derive(Clone, Debug)]
pub struct Assigner {
    options: AssignmentOptions,
    /// Number of the current minibatch window, and its seed.
    window: Option<(u64, u64)>,
}

impl Assigner {
    /// For a run's options.
    pub fn new(options: AssignmentOptions) -> Self {
        Self::resumed(options, None)
    }

    /// One that goes on where another with the same options was when it gave this [`Assigner::window`].
    pub fn resumed(options: AssignmentOptions, window: Option<(u64, u64)>) -> Self {
        Self { options, window }
    }

    /// Number and seed of the current minibatch window, under `vote`; with the options and the generator, all that
    /// decides what volunteers who join from now on are assigned.
    pub fn window(&self) -> Option<(u64, u64)> {
        self.window
    }

    /// The next task of a volunteer after `accepted` messages of the run; `draw` gives unpredictable bits.
    pub fn assign(
        &mut self,
        volunteer: &mut VolunteerAssignment,
        accepted: u64,
        mut draw: impl FnMut() -> u64,
    ) -> Assignment {
        let (minibatch_seed, held_seed) = match self.options.rule {
            Rule::Plain => (draw(), None),
            Rule::Vote { direction_seed, .. } => {
                (self.window_seed(accepted / self.options.minibatch_window, &mut draw), Some(direction_seed))
            }
        };
        let mut reset_tracker = !volunteer.started;
        volunteer.started = true;
        if volunteer.tasks_left == 0 {
            let zeroth = matches!(self.options.order, Order::Zeroth { .. });
            volunteer.direction_seed = held_seed.unwrap_or_else(&mut draw);
            volunteer.tasks_left = if zeroth { self.options.direction_hold } else { 1 };
            reset_tracker |= zeroth && held_seed.is_none();
        }
        volunteer.tasks_left -= 1;
        if let Some(interval) = self.options.resets {
            if reset_tracker || volunteer.until_reset == 0 {
                reset_tracker = true;
                volunteer.until_reset = interval.tasks(draw());
            }
            volunteer.until_reset -= 1;
        }
        let direction_seed = volunteer.direction_seed;
        Assignment { minibatch_seed, direction_seed, coin_seed: draw(), reset_tracker }
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
        let options = AssignmentOptions { order, rule, minibatch_window: 25, direction_hold: 3, resets };
        let (mut assigner, mut volunteer, mut next) =
            (Assigner::new(options), VolunteerAssignment::default(), 0);
        let mut draw = || {
            next += 1;
            next
        };
        (0..tasks).map(|n| assigner.assign(&mut volunteer, n, &mut draw)).collect()
    }

    fn distinct(seeds: impl Iterator<Item = u64>) -> usize {
        seeds.collect::<std::collections::BTreeSet<_>>().len()
    }

    #[test]
    fn plain_first_order_shares_nothing_and_keeps_the_tracker() {
        let tasks = assign(Order::First, Rule::Plain, 60);
        assert_eq!(distinct(tasks.iter().map(|t| t.minibatch_seed)), 60);
        assert_eq!(distinct(tasks.iter().map(|t| t.direction_seed)), 60);
        assert_eq!(distinct(tasks.iter().map(|t| t.coin_seed)), 60);
        assert_eq!(tasks.iter().filter(|t| t.reset_tracker).count(), 1);
        assert!(tasks[0].reset_tracker);
    }

    #[test]
    fn regular_resets_come_at_every_distance_of_their_interval_and_no_other() {
        let resets = Some(ResetInterval { least: 4, most: 12 });
        let tasks = assign_with_resets(Order::First, Rule::Plain, 2000, resets);
        let at: Vec<usize> = (0..tasks.len()).filter(|n| tasks[*n].reset_tracker).collect();
        let distances: std::collections::BTreeSet<_> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!((at[0], distances), (0, (4..=12).collect()));
    }

    #[test]
    fn vote_shares_minibatches_in_windows_and_directions_for_the_run() {
        let tasks = assign(Order::First, Rule::Vote { gamma: 0.04, direction_seed: 77 }, 60);
        assert!(tasks.iter().all(|t| t.direction_seed == 77));
        for (n, pair) in tasks.windows(2).enumerate() {
            assert_eq!(pair[0].minibatch_seed == pair[1].minibatch_seed, (n + 1) % 25 != 0, "message {n}");
        }
    }

    #[test]
    fn a_resumed_assigner_stays_in_its_window() {
        let rule = Rule::Vote { gamma: 0.04, direction_seed: 77 };
        let options = AssignmentOptions {
            order: Order::First,
            rule,
            minibatch_window: 25,
            direction_hold: 1,
            resets: None,
        };
        let mut assigner = Assigner::new(options);
        let before = assigner.assign(&mut VolunteerAssignment::default(), 30, || 5);
        let mut resumed = Assigner::resumed(options, assigner.window());
        let after = resumed.assign(&mut VolunteerAssignment::default(), 31, || 6);
        assert_eq!((before.minibatch_seed, after.minibatch_seed, after.coin_seed), (5, 5, 6));
    }

    #[test]
    fn zeroth_order_resets_the_tracker_when_directions_change() {
        let tasks = assign(Order::Zeroth { delta: 1e-3 }, Rule::Plain, 12);
        for (n, task) in tasks.iter().enumerate() {
            assert_eq!(task.reset_tracker, n % 3 == 0, "task {n}");
            assert_eq!(task.direction_seed, tasks[n - n % 3].direction_seed, "task {n}");
        }
        assert_eq!(distinct(tasks.iter().map(|t| t.direction_seed)), 4);
    }
}
