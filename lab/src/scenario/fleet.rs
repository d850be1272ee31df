//! Who works, and what happens to messages.

use serde::{Deserialize, Serialize};

/// Tasks' time by which a delayed answer is late.
pub const LATE_TASKS: f64 = 10.0;

/// The workers. Times are in seconds of the simulated clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fleet {
    /// Workers, liars among them, at least 2.
    pub workers: usize,
    /// Median over workers of the time a task takes.
    #[serde(default = "one")]
    pub task_s: f64,
    /// How much workers differ: standard deviation of the logarithm of that time, from worker to worker.
    #[serde(default)]
    pub spread: f64,
    /// The same from task to task of one worker.
    #[serde(default)]
    pub jitter: f64,
    /// Workers that are slower still.
    #[serde(default)]
    pub stragglers: Vec<Stragglers>,
    /// Workers that leave and come back.
    #[serde(default)]
    pub dropout: Option<Dropout>,
}

/// Workers that are slower than the others.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stragglers {
    /// Share of the workers, 0 to 1.
    pub share: f64,
    /// Times slower, at least 1.
    pub slowdown: f64,
}

/// Workers that leave and come back.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dropout {
    /// Share of the workers that do, 0 to 1.
    pub share: f64,
    /// Probability with which such a worker leaves after an answer.
    pub probability: f64,
    /// Mean of the time that it is away, exponentially distributed.
    pub away_s: f64,
}

/// What happens to messages.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    /// Median time of a message on its way.
    pub latency_s: f64,
    /// Standard deviation of the logarithm of that time. Messages of different workers overtake each other.
    pub spread: f64,
    /// Probability with which an answer is lost.
    pub loss: f64,
    /// Probability with which an answer arrives twice.
    pub duplication: f64,
    /// Probability with which an answer is late by [`LATE_TASKS`].
    pub delay: f64,
    /// Time until a worker whose answer was lost notices that, and joins again.
    pub rejoin_s: f64,
}

impl Network {
    /// Time that a worker waits in the mean from task to task, beside its work: messages on their way, answers that are
    /// lost or late. `task_s` is the fleet's.
    pub fn mean_time_s(&self, task_s: f64) -> f64 {
        let there_and_back_s = 2.0 * self.latency_s * libm::exp(self.spread * self.spread / 2.0);
        there_and_back_s + self.loss * self.rejoin_s + self.delay * LATE_TASKS * task_s
    }
}

impl Default for Network {
    fn default() -> Self {
        Self { latency_s: 0.05, spread: 0.5, loss: 0.0, duplication: 0.0, delay: 0.0, rejoin_s: 5.0 }
    }
}

fn one() -> f64 {
    1.0
}
