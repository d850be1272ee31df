//! The workers and the network between them and the server.

use serde::{Deserialize, Serialize};

/// Delay of a late update, in median task times.
pub const STALE_TASKS: f64 = 10.0;

/// The workers. Times are in seconds of the simulated clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fleet {
    /// Number of workers, attackers included, at least 2.
    pub workers: usize,
    /// Median over workers of the time of a task.
    #[serde(default = "one")]
    pub task_s: f64,
    /// Standard deviation of the logarithm of that time between workers.
    #[serde(default)]
    pub spread: f64,
    /// Standard deviation of the logarithm of that time between tasks of one worker.
    #[serde(default)]
    pub jitter: f64,
    /// Workers with an additional slowdown.
    #[serde(default)]
    pub stragglers: Vec<Stragglers>,
    /// Workers that leave and rejoin.
    #[serde(default)]
    pub dropout: Option<Dropout>,
}

/// Workers that are slower than the others.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stragglers {
    /// Fraction of the workers, 0 to 1.
    pub fraction: f64,
    /// Factor on the time of a task, at least 1.
    pub slowdown: f64,
}

/// Workers that leave and rejoin.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dropout {
    /// Fraction of the workers, 0 to 1.
    pub fraction: f64,
    /// Probability that such a worker leaves after an update.
    pub probability: f64,
    /// Mean of the exponentially distributed time of an absence.
    pub away_s: f64,
}

/// The network between workers and server.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkModel {
    /// Median latency of one direction.
    pub latency_s: f64,
    /// Standard deviation of the logarithm of the latency. Updates of different workers overtake each other.
    pub spread: f64,
    /// Probability that an update is lost.
    pub loss: f64,
    /// Probability that an update arrives twice.
    pub duplication: f64,
    /// Probability that an update is late by [`STALE_TASKS`].
    pub delay: f64,
    /// Time until the worker of a lost update detects the loss and rejoins.
    pub rejoin_s: f64,
}

impl NetworkModel {
    /// Returns the mean time between two tasks of a worker besides its work: latency, losses and delays. `task_s` is the
    /// fleet's.
    pub fn mean_time_s(&self, task_s: f64) -> f64 {
        let round_trip_s = 2.0 * self.latency_s * libm::exp(self.spread * self.spread / 2.0);
        round_trip_s + self.loss * self.rejoin_s + self.delay * STALE_TASKS * task_s
    }
}

impl Default for NetworkModel {
    fn default() -> Self {
        Self {
            latency_s: 0.05,
            spread: 0.5,
            loss: 0.0,
            duplication: 0.0,
            delay: 0.0,
            rejoin_s: 5.0,
        }
    }
}

/// Returns the number of workers that make up a fraction of them.
pub fn count_of_fraction(workers: usize, fraction: f64) -> usize {
    (fraction * workers as f64).round() as usize
}

fn one() -> f64 {
    1.0
}
