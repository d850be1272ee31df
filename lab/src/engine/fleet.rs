//! The workers of a run: their speeds, absences and attackers.

use farsign::weighting::WEIGHT_CAP;
use farsign_attacks::{Attack, ByzantineWorker, Population};

use crate::rng::{RngStream, SimRng};
use crate::scenario::{Fleet, NetworkModel, count_of_fraction};

/// Number of candidate sets of attackers; the set closest to the requested fraction is used.
const ATTACKER_DRAWS: usize = 2000;

/// Units of the simulated clock in a second. The clock is an integer, so the order of events is exact.
pub const US_PER_S: f64 = 1e6;

/// Task times and absences of one worker.
#[derive(Debug)]
pub struct WorkerTiming {
    /// Median time of a task, in seconds.
    task_s: f64,
    jitter: f64,
    /// Probability of an absence after an update, and its mean time in seconds.
    absence: Option<(f64, f64)>,
    rng: SimRng,
}

impl WorkerTiming {
    fn workload(&self, network_s: f64) -> Workload {
        let away_s = self
            .absence
            .map_or(0.0, |(probability, mean_s)| probability * mean_s);
        Workload::new(self.task_s + network_s, away_s)
    }

    /// Draws the time of the next task.
    pub fn sample_task_us(&mut self) -> u64 {
        let time_s = self.task_s * self.rng.lognormal(self.jitter);
        ((time_s * US_PER_S) as u64).max(1)
    }

    /// Draws the time of an absence after an update; `None` if the worker stays.
    pub fn sample_absence_us(&mut self) -> Option<u64> {
        let (probability, mean_s) = self.absence?;
        let leaves = self.rng.bernoulli(probability);
        leaves.then(|| (mean_s * self.rng.exponential() * US_PER_S) as u64)
    }
}

/// A worker at the start of a run.
#[derive(Debug)]
pub struct WorkerProfile {
    /// Task times and absences.
    pub timing: WorkerTiming,
    /// The attacker's state; `None` for an honest worker.
    pub attacker: Option<ByzantineWorker>,
}

/// Creates the workers of a run.
///
/// Speeds and absences depend only on the seed. `attack` has the attack and the Byzantine fraction. Attackers are chosen
/// to send this fraction of the updates and to have this fraction of the weight, before the attack changes their speed.
pub fn spawn_fleet(
    fleet: &Fleet,
    network: &NetworkModel,
    attack: Option<(Attack, f64)>,
    seed: u64,
) -> Vec<WorkerProfile> {
    let mut rng = SimRng::new(seed, RngStream::Fleet, 0);
    let times = task_times(fleet, &mut rng);
    let unreliable = fleet.dropout.map_or_else(Vec::new, |d| {
        sample_fraction(fleet.workers, d.fraction, &mut rng)
    });
    let shared = rng.next_u64();
    let timing = |(index, task_s)| WorkerTiming {
        task_s,
        jitter: fleet.jitter,
        absence: fleet
            .dropout
            .filter(|_| unreliable.contains(&index))
            .map(|dropout| (dropout.probability, dropout.away_s)),
        rng: SimRng::new(seed, RngStream::Timing, index),
    };
    let timings: Vec<WorkerTiming> = times.into_iter().enumerate().map(timing).collect();
    let attackers = attack.map_or_else(Vec::new, |(_, fraction)| {
        let network_s = network.mean_time_s(fleet.task_s);
        let workloads: Vec<Workload> = timings
            .iter()
            .map(|timing| timing.workload(network_s))
            .collect();
        choose_attackers(&expected_fractions(&workloads), fraction, &mut rng)
    });
    let population = Population {
        workers: fleet.workers,
        attackers: attackers.len(),
    };
    let profile = |(index, timing): (usize, WorkerTiming)| {
        let attack = attack
            .map(|(attack, _)| attack)
            .filter(|_| attackers.contains(&index));
        let slowdown = attack.map_or(1.0, |attack| attack.slowdown());
        let attacker = attack.map(|attack| {
            let own_seed = SimRng::new(seed, RngStream::Attacker, index).next_u64();
            ByzantineWorker::new(attack, population, own_seed, shared)
        });
        WorkerProfile {
            timing: WorkerTiming {
                task_s: timing.task_s * slowdown,
                ..timing
            },
            attacker,
        }
    };
    timings.into_iter().enumerate().map(profile).collect()
}

/// Returns the fraction of all updates that attackers are expected to send at their actual speed.
///
/// `fleet` has the timing of each worker, and whether it is an attacker.
pub fn expected_attacker_updates<'a>(
    fleet: impl IntoIterator<Item = (&'a WorkerTiming, bool)>,
    network_s: f64,
) -> f64 {
    let (workloads, byzantine): (Vec<Workload>, Vec<bool>) = fleet
        .into_iter()
        .map(|(timing, byzantine)| (timing.workload(network_s), byzantine))
        .unzip();
    let fractions = expected_fractions(&workloads).into_iter().zip(byzantine);
    fractions
        .filter_map(|([updates, _], byzantine)| byzantine.then_some(updates))
        .sum()
}

fn task_times(fleet: &Fleet, rng: &mut SimRng) -> Vec<f64> {
    let time = |rng: &mut SimRng| fleet.task_s * rng.lognormal(fleet.spread);
    let mut times: Vec<f64> = (0..fleet.workers).map(|_| time(rng)).collect();
    let mut order: Vec<usize> = (0..fleet.workers).collect();
    rng.shuffle(&mut order);
    let mut slow = order.into_iter();
    for stragglers in &fleet.stragglers {
        let count = count_of_fraction(fleet.workers, stragglers.fraction);
        slow.by_ref()
            .take(count)
            .for_each(|index| times[index] *= stragglers.slowdown);
    }
    times
}

fn sample_fraction(count: usize, fraction: f64, rng: &mut SimRng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    rng.shuffle(&mut order);
    order.truncate(count_of_fraction(count, fraction));
    order
}

/// The average activity of a worker.
struct Workload {
    /// Fraction of the time in which the worker is present.
    present: f64,
    /// Updates per second while it is present.
    rate_hz: f64,
}

impl Workload {
    /// Creates a workload from the mean time between two updates, and the mean absence after one.
    fn new(update_s: f64, away_s: f64) -> Self {
        Self {
            present: update_s / (update_s + away_s),
            rate_hz: 1.0 / update_s,
        }
    }
}

/// Returns each worker's fraction of all updates, and of all weight if the server weights by activity.
///
/// All present workers have equal weight, except those that are so slow that their weight is capped.
fn expected_fractions(workloads: &[Workload]) -> Vec<[f64; 2]> {
    let all: f64 = workloads
        .iter()
        .map(|work| work.present * work.rate_hz)
        .sum();
    let active: f64 = workloads.iter().map(|work| work.present).sum();
    let weight = |work: &Workload| {
        work.present * (f64::from(WEIGHT_CAP) * active * work.rate_hz / all).min(1.0)
    };
    let weights: f64 = workloads.iter().map(weight).sum();
    workloads
        .iter()
        .map(|work| [work.present * work.rate_hz / all, weight(work) / weights])
        .collect()
}

/// Chooses as many workers as the fraction requires, at random.
///
/// Their fractions of the updates and of the weight are as close to it as [`ATTACKER_DRAWS`] draws allow: synchronous
/// servers count workers, asynchronous servers count updates or weight.
fn choose_attackers(fractions: &[[f64; 2]], fraction: f64, rng: &mut SimRng) -> Vec<usize> {
    let error = |attackers: &[usize]| {
        let error_of = |kind: usize| {
            (attackers
                .iter()
                .map(|&index| fractions[index][kind])
                .sum::<f64>()
                - fraction)
                .abs()
        };
        error_of(0).max(error_of(1))
    };
    let draws = (0..ATTACKER_DRAWS).map(|_| sample_fraction(fractions.len(), fraction, rng));
    draws
        .min_by(|a, b| error(a).total_cmp(&error(b)))
        .expect("there are draws")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Dropout, Stragglers};

    fn fleet() -> Fleet {
        Fleet {
            workers: 50,
            task_s: 1.0,
            spread: 0.5,
            jitter: 0.2,
            stragglers: vec![Stragglers {
                fraction: 0.06,
                slowdown: 100.0,
            }],
            dropout: Some(Dropout {
                fraction: 0.1,
                probability: 0.1,
                away_s: 30.0,
            }),
        }
    }

    fn spawn(attack: Option<(Attack, f64)>, seed: u64) -> Vec<WorkerProfile> {
        spawn_fleet(&fleet(), &NetworkModel::default(), attack, seed)
    }

    #[test]
    fn attackers_match_byzantine_fraction() {
        for seed in 0..20 {
            for fraction in [0.1, 0.3, 0.45] {
                let workers = spawn(Some((Attack::SignFlip { scale: 1.0 }, fraction)), seed);
                let network_s = NetworkModel::default().mean_time_s(1.0);
                let workloads: Vec<Workload> = workers
                    .iter()
                    .map(|worker| worker.timing.workload(network_s))
                    .collect();
                let byzantine = || workers.iter().map(|worker| worker.attacker.is_some());
                let attackers = byzantine().filter(|attacker| *attacker).count();
                assert_eq!(attackers, count_of_fraction(50, fraction), "seed {seed}");
                for (kind, name) in ["updates", "weight"].into_iter().enumerate() {
                    let fractions = expected_fractions(&workloads).into_iter().zip(byzantine());
                    let found: f64 = fractions
                        .filter_map(|(of, byzantine)| byzantine.then_some(of[kind]))
                        .sum();
                    let close = (found - fraction).abs() < 0.01;
                    assert!(close, "seed {seed}: {found} of the {name} for {fraction}");
                }
            }
        }
    }

    #[test]
    fn weight_is_equal_up_to_cap() {
        let workloads = [
            Workload::new(1.0, 0.0),
            Workload::new(0.5, 0.0),
            Workload::new(1.0, 1.0),
            Workload::new(1e6, 0.0),
        ];
        let fractions = expected_fractions(&workloads);
        let near = |found: f64, wanted: f64| (found - wanted).abs() < 1e-4;
        assert!(near(fractions[0][0], 1.0 / 3.5), "{fractions:?}");
        assert!(near(fractions[1][0], 2.0 / 3.5), "{fractions:?}");
        assert!(near(fractions[2][0], 0.5 / 3.5), "{fractions:?}");
        assert!(
            near(fractions[0][1], 0.4) && near(fractions[1][1], 0.4),
            "{fractions:?}"
        );
        assert!(near(fractions[2][1], 0.2), "{fractions:?}");
        assert!(fractions[3][1] < 1e-4, "{fractions:?}");
    }

    #[test]
    fn flooding_increases_attacker_updates() {
        let fraction = |attack| {
            let workers = spawn(Some((attack, 0.3)), 4);
            let timings = workers
                .iter()
                .map(|worker| (&worker.timing, worker.attacker.is_some()));
            expected_attacker_updates(timings, 0.0)
        };
        assert!(
            (fraction(Attack::Replay) - 0.3).abs() < 0.03,
            "{}",
            fraction(Attack::Replay)
        );
        // Without latency, ten times as many: 3 of 3.7.
        let flooding = fraction(Attack::Flooding { factor: 10.0 });
        assert!((flooding - 0.81).abs() < 0.03, "{flooding}");
    }

    #[test]
    fn attack_changes_only_attackers() {
        let times = |attack: Option<Attack>| -> Vec<f64> {
            let workers = spawn(attack.map(|attack| (attack, 0.3)), 3);
            workers.iter().map(|worker| worker.timing.task_s).collect()
        };
        assert_eq!(times(None), times(Some(Attack::LabelFlip)));
        let flooding = times(Some(Attack::Flooding { factor: 10.0 }));
        assert_eq!(
            times(None)
                .iter()
                .zip(&flooding)
                .filter(|(a, b)| a != b)
                .count(),
            15
        );
    }

    #[test]
    fn fleet_matches_straggler_and_dropout_fractions() {
        let mut workers = spawn(None, 9);
        assert_eq!(
            workers
                .iter()
                .filter(|worker| worker.timing.task_s > 20.0)
                .count(),
            3
        );
        let leaves = |worker: &mut WorkerProfile| {
            (0..200).any(|_| worker.timing.sample_absence_us().is_some())
        };
        assert_eq!(
            workers
                .iter_mut()
                .filter_map(|worker| leaves(worker).then_some(()))
                .count(),
            5
        );
    }
}
