//! The number of images of a volunteer's tasks, and of its open tasks, from what was measured of it.
//!
//! A task costs a round trip, a model on the way to the volunteer and an update on the way back, whatever its size.
//! Where these take longer than a minibatch, a task draws more images:
//!
//! ```text
//!   T = max(time of the configured minibatch,
//!           min(2 round trips, 250 ms),
//!           active volunteers / updates that the server takes a second,
//!           bytes of a task / bytes that a second of computing may cost the volunteer's line)
//!
//!   images = T * images a second        at least the minibatch; at most the training set, a quarter of the timeout,
//!                                       twice the last task, and what verification can afford
//! ```
//!
//! There is no fixed minimum of `T`. Next to the server, where a round trip takes less than a minibatch, a task stays
//! the minibatch. Nor does a busy machine enlarge tasks. The round trip of a line is about the same each time, while a
//! wait for a processor takes any time: the shortest of several round trips counts, less the difference to their median.
//! What is left below [`MIN_ROUND_TRIP_S`] counts as none, and a task grows only if it at least doubles.
//!
//! A volunteer can send an update or a pong later, never earlier. A late update makes it look slower, and a late pong
//! farther away, up to the 250 ms. A volunteer that computes nothing looks fast, and its tasks reach the largest size
//! after some doublings, as they do for one that states a low rate of its line. It gains nothing: the weight of an update
//! does not depend on its images.

use crate::math::{larger, smaller};

/// Round trips whose shortest counts. Tasks do not grow before as many were measured.
const ROUND_TRIPS: usize = 8;

/// Shortest round trip that counts, in seconds. A shorter one is a wait for a processor rather than for a line.
pub const MIN_ROUND_TRIP_S: f64 = 0.002;

/// Longest round trip that counts, in seconds.
const MAX_ROUND_TRIP_S: f64 = 1.0;

/// Longest time of a task that a round trip leads to, in seconds.
pub const MAX_LINE_TASK_S: f64 = 0.25;

/// Smallest growth beyond the minibatch. Less is within the noise of measured times.
const MIN_GROWTH: f64 = 2.0;

/// Largest growth from one task to the next.
pub const MAX_GROWTH: u32 = 2;

/// Part of a task's timeout that its images may take.
const TIMEOUT_FRACTION: f64 = 0.25;

/// Factor by which earlier tasks count less with each further one.
const DECAY: f64 = 7.0 / 8.0;

/// A task's time counts as at most this many times the expected one: a device that slept is not slow.
const MAX_SLOWDOWN: f64 = 4.0;

/// Shortest time of a task that counts, in seconds, so that a speed is finite.
const MIN_TASK_S: f64 = 1e-6;

/// Longest time of a task that counts, in seconds: more than any timeout.
const MAX_TASK_S: f64 = 1e7;

/// Fraction of a task's time from which a round trip is worth a second open task.
const MIN_IDLE_FRACTION: f64 = 0.25;

/// Images of the largest task.
pub const MAX_TASK_IMAGES: u32 = 65_536;

/// Open tasks of a volunteer.
pub const MAX_OPEN_TASKS: usize = 2;

/// The measured pace of one volunteer: its round trip, its speed, and what its tasks cost its line. The caller measures
/// the times.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct VolunteerPace {
    /// The newest round trips, in seconds.
    round_trips: [f64; ROUND_TRIPS],
    /// Round trips so far.
    measured: usize,
    /// Decaying sum of the images of tasks.
    images: f64,
    /// Decaying sum of the times of tasks, in seconds.
    seconds: f64,
    /// Images of the last task that was recorded.
    last: u32,
    /// Bytes of a task and its update, averaged. `None` before the first.
    task_bytes: Option<f64>,
    /// Bytes that a second of computing may cost, as the volunteer has stated. `None` without a limit.
    line_bytes_per_s: Option<f64>,
}

/// The limits of the size of a volunteer's task at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TaskLimits {
    /// Images of the configured minibatch, at least 1.
    pub minibatch: u32,
    /// Images of the shards that the volunteer holds.
    pub training_images: u32,
    /// Time before an open task times out, in milliseconds.
    pub timeout_ms: u32,
    /// Recently active volunteers.
    pub active: usize,
    /// Updates that the server can take a second. `None` if that is unknown.
    pub updates_per_s: Option<f64>,
    /// Images of an average task that verification can afford. `None` without a limit.
    pub verifiable_images: Option<f64>,
}

impl VolunteerPace {
    /// Records a round trip, in seconds.
    pub fn record_round_trip(&mut self, seconds: f64) {
        self.round_trips[self.measured % ROUND_TRIPS] = larger(0.0, seconds);
        self.measured += 1;
    }

    /// Records a time that contains a round trip and other waiting, in seconds. It counts only if it is the shortest.
    pub fn record_round_trip_bound(&mut self, seconds: f64) {
        let newest = self.measured.checked_sub(1);
        if let Some(newest) = newest
            && seconds < self.shortest_round_trip_s()
        {
            self.round_trips[newest % ROUND_TRIPS] = larger(0.0, seconds);
        }
    }

    /// Returns the round trip in seconds; `None` before enough were measured.
    pub fn round_trip_s(&self) -> Option<f64> {
        (self.measured >= ROUND_TRIPS)
            .then(|| smaller(MAX_ROUND_TRIP_S, self.shortest_round_trip_s()))
    }

    fn shortest_round_trip_s(&self) -> f64 {
        let known = self.measured.min(ROUND_TRIPS);
        self.round_trips[..known]
            .iter()
            .fold(f64::INFINITY, |shortest, &s| smaller(shortest, s))
    }

    /// Records a task of `images`, at least 1. Ignored before the round trip is known.
    ///
    /// Its update was received `since_sent_s` seconds after the task was sent, and `since_update_s` after the update
    /// before it, if there was one: the volunteer could begin when it had both the task and the time.
    pub fn record_task(&mut self, images: u32, since_sent_s: f64, since_update_s: Option<f64>) {
        let Some(round_trip) = self.round_trip_s() else {
            return;
        };
        let computing = smaller(
            since_sent_s - round_trip,
            since_update_s.unwrap_or(f64::INFINITY),
        );
        let expected = self
            .images_per_s()
            .map_or(f64::INFINITY, |speed| f64::from(images) / speed);
        let longest = smaller(MAX_TASK_S, MAX_SLOWDOWN * expected);
        let seconds = smaller(longest, larger(MIN_TASK_S, computing));
        self.images = DECAY * self.images + f64::from(images);
        self.seconds = DECAY * self.seconds + seconds;
        self.last = images;
    }

    /// Records the bytes of a task and its update, in both directions.
    pub fn record_task_bytes(&mut self, bytes: u64) {
        let bytes = bytes as f64;
        let mean = self.task_bytes.unwrap_or(bytes);
        self.task_bytes = Some(DECAY * mean + (1.0 - DECAY) * bytes);
    }

    /// Sets the bytes that a second of computing may cost the line; 0 without a limit.
    pub fn set_line_rate(&mut self, bytes_per_s: u32) {
        self.line_bytes_per_s = (bytes_per_s > 0).then(|| bytes_per_s.into());
    }

    /// Returns the speed in images a second; `None` before the first task that was recorded.
    pub fn images_per_s(&self) -> Option<f64> {
        (self.seconds > 0.0).then(|| self.images / self.seconds)
    }

    /// Returns the number of images of the next task.
    pub fn task_images(&self, limits: &TaskLimits) -> u32 {
        let minibatch = f64::from(limits.minibatch);
        let Some(speed) = self.images_per_s() else {
            return limits.minibatch;
        };
        let wanted = speed * self.wanted_s(limits);
        if wanted < MIN_GROWTH * minibatch {
            return limits.minibatch;
        }
        let timeout_s = f64::from(limits.timeout_ms) / 1000.0;
        let bounds = [
            f64::from(limits.training_images),
            f64::from(MAX_TASK_IMAGES),
            f64::from(self.last) * f64::from(MAX_GROWTH),
            speed * timeout_s * TIMEOUT_FRACTION,
            limits.verifiable_images.unwrap_or(f64::INFINITY),
        ];
        // A bound that is not a number bounds nothing.
        let images = bounds.into_iter().fold(wanted, smaller);
        (images as u32).max(limits.minibatch)
    }

    /// Returns the number of tasks that the volunteer has open at a time, 1 or 2, if each has `images`.
    ///
    /// The second is sent while the volunteer computes the first, where waiting for it would cost much of its time.
    pub fn open_tasks(&self, images: u32) -> usize {
        let (Some(speed), line) = (self.images_per_s(), self.line_s()) else {
            return 1;
        };
        let task_s = f64::from(images) / speed;
        if line > 0.0 && line >= MIN_IDLE_FRACTION * task_s {
            MAX_OPEN_TASKS
        } else {
            1
        }
    }

    /// Returns the time that the next task is to take, in seconds, except for that of the minibatch.
    fn wanted_s(&self, limits: &TaskLimits) -> f64 {
        let line_s = smaller(MAX_LINE_TASK_S, 2.0 * self.line_s());
        let active = limits.active as f64;
        let server_s = limits.updates_per_s.map(|rate| active / rate);
        let line = self.task_bytes.zip(self.line_bytes_per_s);
        let budget_s = line.map(|(bytes, rate)| bytes / rate);
        let finite = |seconds: Option<f64>| seconds.filter(|s| s.is_finite()).unwrap_or(0.0);
        larger(larger(line_s, finite(server_s)), finite(budget_s))
    }

    /// Returns the part of the round trip that is always the same, in seconds; 0 if it is unknown or too short to count.
    fn line_s(&self) -> f64 {
        let mut sorted = self.round_trips;
        sorted.sort_unstable_by(f64::total_cmp);
        let variation = sorted[ROUND_TRIPS / 2] - sorted[0];
        self.round_trip_s()
            .map(|shortest| shortest - variation)
            .filter(|s| *s >= MIN_ROUND_TRIP_S)
            .unwrap_or(0.0)
    }
}
