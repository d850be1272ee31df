//! The synchronous engine: rounds, and the wait for their updates.
//!
//! ```text
//!   x_r to all idle workers --> each computes --> all, or the first of them, have arrived --> x_(r+1)
//! ```
//!
//! A worker that is still busy with an earlier round adopts the new parameters when it finishes. Its update for the
//! earlier round is late, is dropped, and does not count. Omniscient attackers observe the honest updates of the round;
//! of honest workers outside the round, the latest update that was in time.

use farsign::schedule::{Decay, StepSize};
use farsign::task::{RunSettings, Task, TaskId};

use crate::aggregators::Aggregator;
use crate::engine::fleet::US_PER_S;
use crate::engine::worker_pool::{Worker, WorkerPool};
use crate::metrics::MetricsRecorder;
use crate::rng::{RngStream, SimRng};
use crate::scenario::{NetworkModel, STALE_TASKS};
use crate::servers::UNNAMED_VERSION;

/// Parameters of a synchronous run.
pub struct Rounds<'a> {
    /// Rule that aggregates a round.
    pub aggregator: &'a dyn Aggregator,
    /// Updates that a round waits for.
    pub wait_for: usize,
    /// Initial learning rate; it decays to 0 along a half cosine.
    pub learning_rate: f64,
    /// The network.
    pub network: NetworkModel,
    /// Median over workers of the time of a task.
    pub task_s: f64,
    /// Seed of the run.
    pub seed: u64,
}

/// A worker in a round, with its times.
#[derive(Clone, Copy, Debug)]
struct RoundParticipant {
    worker: usize,
    begins_us: u64,
    done_us: u64,
    /// Time at which the worker is available again.
    idle_us: u64,
}

impl Rounds<'_> {
    /// Runs until `updates` updates have been received.
    pub fn run(
        &self,
        settings: &RunSettings,
        pool: &mut WorkerPool,
        workers: &mut [Worker],
        updates: u64,
        recorder: &mut MetricsRecorder<'_>,
    ) {
        let initial_seed = SimRng::new(self.seed, RngStream::Parameters, 0).next_u64();
        let mut x = settings.architecture.initial_parameters(initial_seed);
        let mut rng = SimRng::new(self.seed, RngStream::Server, 0);
        let decay = Decay::Cosine {
            horizon: updates as f64,
        };
        let schedule = StepSize {
            initial: self.learning_rate,
            decay,
        };
        let mut idle_at_us = vec![0u64; workers.len()];
        let mut now_us = 0;
        let mut round = 0;
        recorder.point(0, 0, &x);
        while recorder.received() < updates {
            let participants = self.participants(workers, &mut idle_at_us, now_us, &mut rng);
            for worker in order_honest_first(&participants, workers) {
                let task = Task {
                    id: TaskId(round + 1),
                    version: UNNAMED_VERSION,
                    minibatch_seed: rng.next_u64(),
                    direction_seed: 0,
                    coin_seed: 0,
                    images: pool.batch(),
                    shards: 1,
                    reset_momentum: round == 0,
                };
                if !pool.compute_update(worker, &mut workers[worker], &task, &x) {
                    recorder.on_diverged();
                    recorder.end(now_us, &x);
                    return;
                }
                recorder.on_update(workers[worker].is_byzantine(), 0);
            }
            let gradients: Vec<&[f32]> = participants
                .iter()
                .map(|participant| workers[participant.worker].update.vector.as_slice())
                .collect();
            let step = schedule.at((recorder.received() - gradients.len() as u64) as f64);
            let aggregate = self.aggregator.aggregate(&gradients);
            x.iter_mut()
                .zip(&aggregate)
                .for_each(|(x, g)| *x -= step * g);
            now_us = participants[participants.len() - 1].done_us;
            round += 1;
            recorder.point_if_due(now_us, &x);
        }
        recorder.end(now_us, &x);
    }

    /// Returns the participants of a round that begins now, in the order of arrival.
    fn participants(
        &self,
        workers: &mut [Worker],
        idle_at_us: &mut [u64],
        now_us: u64,
        rng: &mut SimRng,
    ) -> Vec<RoundParticipant> {
        let mut participants: Vec<RoundParticipant> = (0..workers.len())
            .map(|worker| {
                let begins_us = idle_at_us[worker].max(now_us);
                let done_us =
                    begins_us.saturating_add(self.response_time_us(&mut workers[worker], rng));
                let away_us = workers[worker].timing.sample_absence_us().unwrap_or(0);
                RoundParticipant {
                    worker,
                    begins_us,
                    done_us,
                    idle_us: done_us.saturating_add(away_us),
                }
            })
            .collect();
        participants.sort_by_key(|participant| participant.done_us);
        let ends_us = participants[self.wait_for - 1].done_us;
        for participant in &participants {
            if participant.begins_us < ends_us {
                idle_at_us[participant.worker] = participant.idle_us;
            }
        }
        participants.truncate(self.wait_for);
        participants
    }

    /// Draws the time from sending the parameters to receiving the update; a lost update is requested again.
    fn response_time_us(&self, worker: &mut Worker, rng: &mut SimRng) -> u64 {
        let NetworkModel {
            latency_s,
            spread,
            loss,
            delay,
            rejoin_s,
            ..
        } = self.network;
        let us = |time_s: f64| (time_s * US_PER_S) as u64;
        let mut total_us = 0u64;
        loop {
            let latency_us = us(latency_s * (rng.lognormal(spread) + rng.lognormal(spread)));
            let late_us = if rng.bernoulli(delay) {
                us(STALE_TASKS * self.task_s)
            } else {
                0
            };
            for part_us in [worker.timing.sample_task_us(), latency_us, late_us] {
                total_us = total_us.saturating_add(part_us);
            }
            if !rng.bernoulli(loss) {
                return total_us;
            }
            total_us = total_us.saturating_add(us(rejoin_s));
        }
    }
}

/// Returns honest workers of a round before attackers, each in the order of arrival.
fn order_honest_first(participants: &[RoundParticipant], workers: &[Worker]) -> Vec<usize> {
    let indices = participants.iter().map(|participant| participant.worker);
    let (attackers, mut order): (Vec<usize>, Vec<usize>) =
        indices.partition(|&worker| workers[worker].is_byzantine());
    order.extend(attackers);
    order
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::data::ExperimentData;
    use crate::engine::fleet::spawn_fleet;
    use crate::metrics::EvalSplit;
    use crate::scenario::Scenario;
    use crate::servers::gradient_settings;
    use crate::testing::digits;
    use farsign_attacks::Attack;

    const SCENARIO: &str = r#"
        run = { updates = 60, evaluate_every = 60, seeds = [1], byzantine_fractions = [0.3], breaking_distance = 0.1 }
        fleet = { workers = 10, spread = 0.5, stragglers = [{ fraction = 0.2, slowdown = 100 }] }
        tuning = { factors = [1.0], updates = 1, seeds = [1], cases = [] }
        methods = [{ name = "mean", learning_rate = 0.1, batch = 8, kind = { synchronous = { aggregator = "mean", wait = "all" } } }]
        attacks = [{ kind = "ipm", epsilon = 2.0 }]
    "#;

    /// The mean, with a record of all rounds.
    #[derive(Default)]
    struct RecordingAggregator(RefCell<Vec<Vec<Vec<f32>>>>);

    impl Aggregator for RecordingAggregator {
        fn aggregate(&self, gradients: &[&[f32]]) -> Vec<f32> {
            self.0
                .borrow_mut()
                .push(gradients.iter().map(|gradient| gradient.to_vec()).collect());
            mean(gradients)
        }
    }

    fn mean<G: AsRef<[f32]>>(gradients: &[G]) -> Vec<f32> {
        let sum = |k: usize| {
            gradients
                .iter()
                .map(|gradient| gradient.as_ref()[k])
                .sum::<f32>()
        };
        (0..gradients[0].as_ref().len())
            .map(|k| sum(k) / gradients.len() as f32)
            .collect()
    }

    /// Returns the gradients of each round that waits for `wait_for` of ten workers, and the simulated time.
    fn rounds(wait_for: usize, attack: Option<Attack>) -> (Vec<Vec<Vec<f32>>>, f64) {
        let scenario = Scenario::from_toml(SCENARIO).unwrap();
        let (train, test) = digits();
        let data = ExperimentData::new(&scenario, &train, &test).unwrap();
        let partition = data.partition(1);
        let with_fraction = attack.map(|attack| (attack, 0.3));
        let profiles = spawn_fleet(&scenario.fleet, &scenario.network, with_fraction, 1);
        let mut workers: Vec<Worker> = profiles
            .into_iter()
            .enumerate()
            .map(|(index, profile)| Worker::new(index, profile, &partition))
            .collect();
        let settings = gradient_settings(&data, 8, 1.0);
        let recording = RecordingAggregator::default();
        let rounds = Rounds {
            aggregator: &recording,
            wait_for,
            learning_rate: 0.1,
            network: scenario.network,
            task_s: scenario.fleet.task_s,
            seed: 1,
        };
        let mut recorder = MetricsRecorder::new(&data, EvalSplit::Test, 60);
        rounds.run(
            &settings,
            &mut WorkerPool::new(&settings, attack),
            &mut workers,
            60,
            &mut recorder,
        );
        (recording.0.into_inner(), recorder.into_metrics().time_s)
    }

    #[test]
    fn omniscient_attackers_observe_whole_round() {
        let attack = Attack::Ipm { epsilon: 2.0 };
        let (rounds, _) = rounds(10, Some(attack));
        assert_eq!(rounds.len(), 6);
        for gradients in rounds {
            let count = |one: &Vec<f32>| gradients.iter().filter(|other| *other == one).count();
            let forged = gradients
                .iter()
                .find(|one| count(one) == 3)
                .expect("three of ten send the same");
            let honest: Vec<&Vec<f32>> = gradients.iter().filter(|one| *one != forged).collect();
            let expected = mean(&honest);
            for (forged, mean) in forged.iter().zip(expected) {
                assert!(
                    (forged + 2.0 * mean).abs() < 1e-5,
                    "{forged} for a mean of {mean}"
                );
            }
        }
    }

    #[test]
    fn round_drops_late_updates() {
        let (fastest, fastest_s) = rounds(8, None);
        assert!(fastest.len() == 8 && fastest.iter().all(|gradients| gradients.len() == 8));
        assert!(
            fastest_s < 8.0 * 10.0,
            "{fastest_s} s: the round waited for a straggler"
        );
        let (all, all_s) = rounds(10, None);
        assert!(
            all.len() == 6 && all_s > 6.0 * 30.0,
            "{all_s} s: the round did not wait for stragglers"
        );
    }
}
