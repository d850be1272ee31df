//! The synchronous world: rounds, and the wait for them.
//!
//! ```text
//!   x_r to all who are idle --> each computes --> all, or the first of them, have arrived --> x_(r+1)
//! ```
//!
//! Who is still busy with an earlier round when one begins takes up the new parameters when it is done; what it then
//! sends for the earlier one comes too late, is dropped, and does not count as a message. Omniscient liars know the
//! honest answers of the round, and of those who are not in it the last that came in time.

use farsign::schedule::{Decay, StepSize};
use farsign::task::{RunSettings, Task, TaskId};

use crate::chance::{Chance, Part};
use crate::fleet::MICROSECONDS;
use crate::method::Aggregation;
use crate::record::Recorder;
use crate::scenario::{LATE_TASKS, Network};
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
    /// Median over workers of the time a task takes.
    pub task_s: f64,
    /// Seed of the run.
    pub seed: u64,
}

/// When a worker is done with what.
#[derive(Clone, Copy, Debug)]
struct Turn {
    worker: usize,
    begins_us: u64,
    done_us: u64,
    /// When it is there for another.
    idle_us: u64,
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
            for worker in honest_first(&turns, workers) {
                let task = Task {
                    id: TaskId(round + 1),
                    snapshot_version: round,
                    minibatch_seed: chance.bits(),
                    direction_seed: 0,
                    coin_seed: 0,
                    reset_tracker: round == 0,
                };
                if !workshop.work(worker, &mut workers[worker], &task, &x) {
                    recorder.diverged();
                    recorder.end(now_us, &x);
                    return;
                }
                recorder.received_from(workers[worker].lies(), 0);
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
                let done_us = begins_us.saturating_add(self.takes_us(&mut workers[worker], chance));
                let idle_us = done_us.saturating_add(workers[worker].pace.away_us().unwrap_or(0));
                Turn { worker, begins_us, done_us, idle_us }
            })
            .collect();
        turns.sort_by_key(|turn| turn.done_us);
        let ends_us = turns[self.wait_for - 1].done_us;
        for turn in &turns {
            if turn.begins_us < ends_us {
                idle_at_us[turn.worker] = turn.idle_us;
            }
        }
        turns.truncate(self.wait_for);
        turns
    }

    /// Time from the parameters to the arrival of the answer; one that is lost is asked for again after a while.
    fn takes_us(&self, worker: &mut Worker, chance: &mut Chance) -> u64 {
        let Network { latency_s, spread, loss, delay, rejoin_s, .. } = self.network;
        let us = |time_s: f64| (time_s * MICROSECONDS) as u64;
        let mut takes_us = 0u64;
        loop {
            let latency_us = us(latency_s * (chance.lognormal(spread) + chance.lognormal(spread)));
            let late_us = if chance.happens(delay) { us(LATE_TASKS * self.task_s) } else { 0 };
            for part_us in [worker.pace.task_us(), latency_us, late_us] {
                takes_us = takes_us.saturating_add(part_us);
            }
            if !chance.happens(loss) {
                return takes_us;
            }
            takes_us = takes_us.saturating_add(us(rejoin_s));
        }
    }
}

/// Honest workers of a round before liars, each in the order of arrival.
fn honest_first(turns: &[Turn], workers: &[Worker]) -> Vec<usize> {
    let (liars, mut order): (Vec<usize>, Vec<usize>) =
        turns.iter().map(|turn| turn.worker).partition(|&worker| workers[worker].lies());
    order.extend(liars);
    order
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::attack::Attack;
    use crate::fleet::recruit;
    use crate::host::gradient_settings;
    use crate::materials::Materials;
    use crate::record::Measure;
    use crate::scenario::Scenario;
    use crate::testing::digits;

    const SCENARIO: &str = r#"
        run = { messages = 60, evaluate_every = 60, seeds = [1], shares = [0.3], breaking_distance = 0.1 }
        fleet = { workers = 10, spread = 0.5, stragglers = [{ share = 0.2, slowdown = 100 }] }
        tuning = { factors = [1.0], messages = 1, seeds = [1], cases = [] }
        methods = [{ name = "mean", rate = 0.1, batch = 8, kind = { synchronous = { aggregation = "mean", wait = "all" } } }]
        attacks = [{ kind = "inner-product", epsilon = 2.0 }]
    "#;

    /// Joins by the mean, and keeps what it was given.
    #[derive(Default)]
    struct Spy(RefCell<Vec<Vec<Vec<f32>>>>);

    impl Aggregation for Spy {
        fn aggregate(&self, gradients: &[&[f32]]) -> Vec<f32> {
            self.0.borrow_mut().push(gradients.iter().map(|gradient| gradient.to_vec()).collect());
            mean(gradients)
        }
    }

    fn mean<G: AsRef<[f32]>>(gradients: &[G]) -> Vec<f32> {
        let sum = |k: usize| gradients.iter().map(|gradient| gradient.as_ref()[k]).sum::<f32>();
        (0..gradients[0].as_ref().len()).map(|k| sum(k) / gradients.len() as f32).collect()
    }

    /// The gradients of each round that waits for so many of ten workers.
    fn rounds(wait_for: usize, attack: Option<Attack>) -> (Vec<Vec<Vec<f32>>>, f64) {
        let scenario = Scenario::from_toml(SCENARIO).unwrap();
        let (train, test) = digits();
        let materials = Materials::new(&scenario, &train, &test).unwrap();
        let allotment = materials.allot(1);
        let recruits = recruit(&scenario.fleet, &scenario.network, attack, 0.3, 1).into_iter().enumerate();
        let mut workers: Vec<Worker> =
            recruits.map(|(index, recruit)| Worker::new(index, recruit, &allotment)).collect();
        let settings = gradient_settings(&materials, 8, 1.0);
        let spy = Spy::default();
        let (network, task_s) = (scenario.network, scenario.fleet.task_s);
        let rounds = Rounds { aggregation: &spy, wait_for, rate: 0.1, network, task_s, seed: 1 };
        let mut recorder = Recorder::new(&materials, Measure::Test, 60);
        rounds.run(&settings, &mut Workshop::new(&settings, attack), &mut workers, 60, &mut recorder);
        (spy.0.into_inner(), recorder.into_record().time_s)
    }

    #[test]
    fn omniscient_liars_know_all_honest_answers_of_their_round() {
        let attack = Attack::InnerProduct { epsilon: 2.0 };
        let (rounds, _) = rounds(10, Some(attack));
        assert_eq!(rounds.len(), 6);
        for gradients in rounds {
            let lie = gradients.iter().find(|one| gradients.iter().filter(|other| other == one).count() == 3);
            let lie = lie.expect("three of ten send the same");
            let honest: Vec<&Vec<f32>> = gradients.iter().filter(|one| *one != lie).collect();
            let expected = mean(&honest);
            for (lie, mean) in lie.iter().zip(expected) {
                assert!((lie + 2.0 * mean).abs() < 1e-5, "{lie} for a mean of {mean}");
            }
        }
    }

    #[test]
    fn a_round_ends_with_the_last_it_waits_for_and_drops_who_comes_later() {
        let (fastest, fastest_s) = rounds(8, None);
        assert!(fastest.len() == 8 && fastest.iter().all(|gradients| gradients.len() == 8));
        assert!(fastest_s < 8.0 * 10.0, "{fastest_s} s: it waited for one who takes a hundred");
        let (all, all_s) = rounds(10, None);
        assert!(all.len() == 6 && all_s > 6.0 * 30.0, "{all_s} s: it waited for nobody");
    }
}
