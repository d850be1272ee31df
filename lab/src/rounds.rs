//! The synchronous world: rounds, and the wait for them.
//!
//! ```text
//!   x_r to all who are idle --> each computes --> the first n - f, or all, have arrived --> x_(r+1)
//! ```
//!
//! Who is still busy with an earlier round when one begins takes up the new parameters when it is done; what it then
//! sends for the earlier round comes too late and is dropped.

use farsign::schedule::{Decay, StepSize};
use farsign::task::{RunSettings, Task, TaskId};

use crate::chance::{Chance, Part};
use crate::fleet::MICROSECONDS;
use crate::method::Aggregation;
use crate::record::Recorder;
use crate::scenario::Network;
use crate::workshop::{Worker, Workshop};

/// What rounds are made of.
pub struct Rounds<'a> {
    /// How gradients are joined.
    pub aggregation: &'a dyn Aggregation,
    /// Answers that a round waits for.
    pub wait_for: usize,
    /// Step size at the start; it falls to 0 along a half cosine.
    pub rate: f64,
    /// What happens to messages.
    pub network: Network,
    /// Seed of the run.
    pub seed: u64,
}

/// When a worker is done with what.
#[derive(Clone, Copy, Debug)]
struct Turn {
    worker: usize,
    begins_us: u64,
    done_us: u64,
}

impl Rounds<'_> {
    /// Runs until so many messages have been received.
    pub fn run(
        &self,
        settings: &RunSettings,
        workshop: &mut Workshop,
        workers: &mut [Worker],
        messages: u64,
        recorder: &mut Recorder<'_>,
    ) {
        let mut x =
            settings.architecture.initial_parameters(Chance::new(self.seed, Part::Parameters, 0).bits());
        let mut chance = Chance::new(self.seed, Part::Host, 0);
        let schedule = StepSize { initial: self.rate, decay: Decay::Cosine { horizon: messages as f64 } };
        let mut idle_at_us = vec![0u64; workers.len()];
        let (mut now_us, mut round) = (0, 0);
        recorder.point(0, 0, &x);
        while recorder.received() < messages {
            let turns = self.turns(workers, &mut idle_at_us, now_us, &mut chance);
            for turn in &turns {
                let task = Task {
                    id: TaskId(round + 1),
                    snapshot_version: round,
                    minibatch_seed: chance.bits(),
                    direction_seed: 0,
                    coin_seed: 0,
                    reset_tracker: round == 0,
                };
                if !workshop.work(turn.worker, &mut workers[turn.worker], &task, &x) {
                    recorder.diverged();
                    recorder.end(now_us, &x);
                    return;
                }
                recorder.received_from(workers[turn.worker].lies(), 0);
            }
            let gradients: Vec<&[f32]> =
                turns.iter().map(|turn| workers[turn.worker].message.vector.as_slice()).collect();
            let step = schedule.at((recorder.received() - gradients.len() as u64) as f64);
            let joined = self.aggregation.aggregate(&gradients);
            x.iter_mut().zip(&joined).for_each(|(x, g)| *x -= step * g);
            now_us = turns[turns.len() - 1].done_us;
            round += 1;
            recorder.point_if_due(now_us, &x);
        }
        recorder.end(now_us, &x);
    }

    /// Who is in a round that begins now, in the order of arrival.
    fn turns(
        &self,
        workers: &mut [Worker],
        idle_at_us: &mut [u64],
        now_us: u64,
        chance: &mut Chance,
    ) -> Vec<Turn> {
        let mut turns: Vec<Turn> = (0..workers.len())
            .map(|worker| {
                let begins_us = idle_at_us[worker].max(now_us);
                let done_us = begins_us + self.takes_us(&mut workers[worker], chance);
                Turn { worker, begins_us, done_us }
            })
            .collect();
        turns.sort_by_key(|turn| turn.done_us);
        let ends_us = turns[self.wait_for - 1].done_us;
        for turn in &turns {
            if turn.begins_us < ends_us {
                idle_at_us[turn.worker] = turn.done_us;
            }
        }
        turns.truncate(self.wait_for);
        turns
    }

    /// Time from the parameters to the arrival of the answer; one that is lost is asked for again after a while.
    fn takes_us(&self, worker: &mut Worker, chance: &mut Chance) -> u64 {
        let Network { latency_s, spread, loss, delay, rejoin_s, .. } = self.network;
        let mut takes_us = 0;
        loop {
            takes_us += worker.pace.task_us();
            let latency_s = latency_s * (chance.lognormal(spread) + chance.lognormal(spread));
            takes_us += (latency_s * MICROSECONDS) as u64;
            if chance.happens(delay) {
                takes_us += 10 * worker.pace.task_us();
            }
            if !chance.happens(loss) {
                return takes_us + worker.pace.away_us().unwrap_or(0);
            }
            takes_us += (rejoin_s * MICROSECONDS) as u64;
        }
    }
}
