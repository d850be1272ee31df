//! Who works in a run: how fast each is, who goes away now and then, and who lies.

use crate::attack::{Attack, Company, Liar};
use crate::chance::{Chance, Part};
use crate::scenario::Fleet;

/// Random swaps that are tried to bring the liars' share of the updates to what was asked for.
const SWAPS: usize = 2000;

/// Seconds of the simulated clock in its own unit, which is whole, so that the order of events is exact.
pub const MICROSECONDS: f64 = 1e6;

/// How one worker spends its time.
#[derive(Debug)]
pub struct Pace {
    /// Median time of a task, in seconds.
    task_s: f64,
    jitter: f64,
    /// Probability of leaving after an answer, and the mean time away in seconds.
    leaves: Option<(f64, f64)>,
    chance: Chance,
}

impl Pace {
    /// Time that the next task takes.
    pub fn task_us(&mut self) -> u64 {
        let time_s = self.task_s * self.chance.lognormal(self.jitter);
        ((time_s * MICROSECONDS) as u64).max(1)
    }

    /// Time that the worker is away after this answer, if it leaves.
    pub fn away_us(&mut self) -> Option<u64> {
        let (probability, mean_s) = self.leaves?;
        let leaves = self.chance.happens(probability);
        leaves.then(|| (mean_s * self.chance.exponential() * MICROSECONDS) as u64)
    }
}

/// A worker as it is at the start of a run.
#[derive(Debug)]
pub struct Recruit {
    /// How it spends its time.
    pub pace: Pace,
    /// How it lies, if it does.
    pub liar: Option<Liar>,
}

/// The workers of a run. Who is fast, slow and unreliable depends on the seed only; `share` of them lie, chosen so that
/// their share of the updates is the same, before the attack changes how fast they are.
pub fn recruit(fleet: &Fleet, attack: Option<Attack>, share: f64, seed: u64) -> Vec<Recruit> {
    let mut chance = Chance::new(seed, Part::Fleet, 0);
    let times = task_times(fleet, &mut chance);
    let rates: Vec<f64> = times.iter().map(|time| 1.0 / time).collect();
    let unreliable = fleet.dropout.map_or_else(Vec::new, |d| pick(fleet.workers, d.share, &mut chance));
    let shared = chance.bits();
    let liars = if attack.is_some() { choose_liars(&rates, share, &mut chance) } else { Vec::new() };
    let company = Company { workers: fleet.workers, liars: liars.len() };
    let worker = |index: usize| {
        let attack = attack.filter(|_| liars.contains(&index));
        let leaves = fleet.dropout.filter(|_| unreliable.contains(&index));
        Recruit {
            pace: Pace {
                task_s: times[index] * attack.map_or(1.0, |attack| attack.pace()),
                jitter: fleet.jitter,
                leaves: leaves.map(|d| (d.probability, d.away_s)),
                chance: Chance::new(seed, Part::Pace, index),
            },
            liar: attack.map(|attack| {
                Liar::new(attack, company, Chance::new(seed, Part::Liar, index).bits(), shared)
            }),
        }
    };
    (0..fleet.workers).map(worker).collect()
}

/// Number of liars among so many workers.
pub fn liars_among(workers: usize, share: f64) -> usize {
    (share * workers as f64).round() as usize
}

fn task_times(fleet: &Fleet, chance: &mut Chance) -> Vec<f64> {
    let time = |chance: &mut Chance| fleet.task_s * chance.lognormal(fleet.spread);
    let mut times: Vec<f64> = (0..fleet.workers).map(|_| time(chance)).collect();
    let mut order: Vec<usize> = (0..fleet.workers).collect();
    chance.shuffle(&mut order);
    let mut slow = order.into_iter();
    for stragglers in &fleet.stragglers {
        let count = (stragglers.share * fleet.workers as f64).round() as usize;
        slow.by_ref().take(count).for_each(|index| times[index] *= stragglers.slowdown);
    }
    times
}

fn pick(count: usize, share: f64, chance: &mut Chance) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    chance.shuffle(&mut order);
    order.truncate((share * count as f64).round() as usize);
    order
}

/// As many workers as the share says, at random, but so that they do the same share of the work: synchronous servers
/// count heads, asynchronous ones updates.
fn choose_liars(rates: &[f64], share: f64, chance: &mut Chance) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rates.len()).collect();
    chance.shuffle(&mut order);
    let (liars, honest) = order.split_at_mut(liars_among(rates.len(), share));
    if liars.is_empty() || honest.is_empty() {
        return liars.to_vec();
    }
    let wanted = share * rates.iter().sum::<f64>();
    let mut found: f64 = liars.iter().map(|&index| rates[index]).sum();
    for _ in 0..SWAPS {
        let (l, h) = (chance.below(liars.len()), chance.below(honest.len()));
        let swapped = found - rates[liars[l]] + rates[honest[h]];
        if (swapped - wanted).abs() < (found - wanted).abs() {
            std::mem::swap(&mut liars[l], &mut honest[h]);
            found = swapped;
        }
    }
    liars.to_vec()
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
            stragglers: vec![Stragglers { share: 0.06, slowdown: 100.0 }],
            dropout: Some(Dropout { share: 0.1, probability: 0.1, away_s: 30.0 }),
        }
    }

    #[test]
    fn liars_are_as_many_and_do_as_much_as_their_share_says() {
        for seed in 0..20 {
            for share in [0.1, 0.3, 0.45] {
                let flip = Some(Attack::SignFlip { scale: 1.0 });
                let workers = recruit(&fleet(), flip, share, seed);
                let rate = |worker: &Recruit| 1.0 / worker.pace.task_s;
                let all: f64 = workers.iter().map(rate).sum();
                let lying = workers.iter().filter(|worker| worker.liar.is_some());
                assert_eq!(lying.clone().count(), liars_among(50, share), "seed {seed}");
                let found = lying.map(rate).sum::<f64>() / all;
                assert!((found - share).abs() < 0.01, "seed {seed}: {found} of the work for {share}");
            }
        }
    }

    #[test]
    fn an_attack_changes_who_lies_and_nothing_else() {
        let times = |attack| -> Vec<f64> {
            recruit(&fleet(), attack, 0.3, 3).iter().map(|worker| worker.pace.task_s).collect()
        };
        assert_eq!(times(None), times(Some(Attack::LabelFlip)));
        let fast = times(Some(Attack::Fast { factor: 10.0 }));
        assert_eq!(times(None).iter().zip(&fast).filter(|(a, b)| a != b).count(), 15);
    }

    #[test]
    fn stragglers_and_the_unreliable_are_as_many_as_asked_for() {
        let mut workers = recruit(&fleet(), None, 0.0, 9);
        assert_eq!(workers.iter().filter(|worker| worker.pace.task_s > 20.0).count(), 3);
        let leaves = |worker: &mut Recruit| (0..200).any(|_| worker.pace.away_us().is_some());
        assert_eq!(workers.iter_mut().filter_map(|worker| leaves(worker).then_some(())).count(), 5);
    }
}
