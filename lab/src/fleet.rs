//! Who works in a run: how fast each is, who goes away now and then, and who lies.

use crate::attack::{Attack, Company, Liar};
use farsign::activity::WEIGHT_CAP;

use crate::chance::{Chance, Part};
use crate::scenario::{Fleet, Network};

/// Draws of liars, of which the one is taken that comes nearest to what was asked for.
const DRAWS: usize = 2000;

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
    fn work(&self, on_the_way_s: f64) -> Work {
        let away_s = self.leaves.map_or(0.0, |(probability, mean_s)| probability * mean_s);
        Work::of(self.task_s + on_the_way_s, away_s)
    }

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
/// their shares of messages and of weight are the same, before the attack changes how fast they are.
pub fn recruit(
    fleet: &Fleet,
    network: &Network,
    attack: Option<Attack>,
    share: f64,
    seed: u64,
) -> Vec<Recruit> {
    let mut chance = Chance::new(seed, Part::Fleet, 0);
    let times = task_times(fleet, &mut chance);
    let unreliable = fleet.dropout.map_or_else(Vec::new, |d| pick(fleet.workers, d.share, &mut chance));
    let dropout = |index: usize| fleet.dropout.filter(|_| unreliable.contains(&index));
    let shared = chance.bits();
    let pace = |(index, task_s)| Pace {
        task_s,
        jitter: fleet.jitter,
        leaves: dropout(index).map(|d| (d.probability, d.away_s)),
        chance: Chance::new(seed, Part::Pace, index),
    };
    let paces: Vec<Pace> = times.into_iter().enumerate().map(pace).collect();
    let liars = if attack.is_some() {
        let on_the_way_s = network.mean_time_s(fleet.task_s);
        let works: Vec<Work> = paces.iter().map(|pace| pace.work(on_the_way_s)).collect();
        choose_liars(&shares_of(&works), share, &mut chance)
    } else {
        Vec::new()
    };
    let company = Company { workers: fleet.workers, liars: liars.len() };
    let worker = |(index, pace): (usize, Pace)| {
        let attack = attack.filter(|_| liars.contains(&index));
        Recruit {
            pace: Pace { task_s: pace.task_s * attack.map_or(1.0, |attack| attack.pace()), ..pace },
            liar: attack.map(|attack| {
                Liar::new(attack, company, Chance::new(seed, Part::Liar, index).bits(), shared)
            }),
        }
    };
    paces.into_iter().enumerate().map(worker).collect()
}

/// The part of all messages that liars are expected to send, with the pace that they have.
pub fn messages_of_liars<'a>(fleet: impl IntoIterator<Item = (&'a Pace, bool)>, on_the_way_s: f64) -> f64 {
    let (works, lies): (Vec<Work>, Vec<bool>) =
        fleet.into_iter().map(|(pace, lies)| (pace.work(on_the_way_s), lies)).unzip();
    shares_of(&works).into_iter().zip(lies).filter_map(|([messages, _], lies)| lies.then_some(messages)).sum()
}

/// How many of so many workers are this share of them.
pub fn part_of(workers: usize, share: f64) -> usize {
    (share * workers as f64).round() as usize
}

fn task_times(fleet: &Fleet, chance: &mut Chance) -> Vec<f64> {
    let time = |chance: &mut Chance| fleet.task_s * chance.lognormal(fleet.spread);
    let mut times: Vec<f64> = (0..fleet.workers).map(|_| time(chance)).collect();
    let mut order: Vec<usize> = (0..fleet.workers).collect();
    chance.shuffle(&mut order);
    let mut slow = order.into_iter();
    for stragglers in &fleet.stragglers {
        let count = part_of(fleet.workers, stragglers.share);
        slow.by_ref().take(count).for_each(|index| times[index] *= stragglers.slowdown);
    }
    times
}

fn pick(count: usize, share: f64, chance: &mut Chance) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    chance.shuffle(&mut order);
    order.truncate(part_of(count, share));
    order
}

/// What a worker does in the mean.
struct Work {
    /// Part of the time in which it works, and is not away.
    present: f64,
    /// Answers in a second in which it works.
    rate_hz: f64,
}

impl Work {
    /// Of the mean time between two answers, and the mean time that it is away after one.
    fn of(answer_s: f64, away_s: f64) -> Self {
        Self { present: answer_s / (answer_s + away_s), rate_hz: 1.0 / answer_s }
    }
}

/// A worker's parts of all messages, and of all weight if the server weighs by activity: a worker that is there has as
/// much as any other, unless it is so slow that its weight is capped.
fn shares_of(works: &[Work]) -> Vec<[f64; 2]> {
    let all: f64 = works.iter().map(|work| work.present * work.rate_hz).sum();
    let active: f64 = works.iter().map(|work| work.present).sum();
    let weight = |work: &Work| work.present * (f64::from(WEIGHT_CAP) * active * work.rate_hz / all).min(1.0);
    let weights: f64 = works.iter().map(weight).sum();
    works.iter().map(|work| [work.present * work.rate_hz / all, weight(work) / weights]).collect()
}

/// As many workers as the share says, at random, but so that they have the same share of the messages and of the
/// weight, as near as [`DRAWS`] get: synchronous servers count heads, asynchronous ones messages or weight.
fn choose_liars(shares: &[[f64; 2]], share: f64, chance: &mut Chance) -> Vec<usize> {
    let miss = |liars: &[usize]| {
        let off = |kind: usize| (liars.iter().map(|&index| shares[index][kind]).sum::<f64>() - share).abs();
        off(0).max(off(1))
    };
    let draws = (0..DRAWS).map(|_| pick(shares.len(), share, chance));
    draws.min_by(|a, b| miss(a).total_cmp(&miss(b))).expect("there are draws")
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
        let flip = Some(Attack::SignFlip { scale: 1.0 });
        for seed in 0..20 {
            for share in [0.1, 0.3, 0.45] {
                let workers = recruit(&fleet(), &Network::default(), flip, share, seed);
                let on_the_way_s = Network::default().mean_time_s(1.0);
                let works: Vec<Work> = workers.iter().map(|worker| worker.pace.work(on_the_way_s)).collect();
                let lying = || workers.iter().map(|worker| worker.liar.is_some());
                assert_eq!(lying().filter(|lies| *lies).count(), part_of(50, share), "seed {seed}");
                for (kind, name) in ["messages", "weight"].into_iter().enumerate() {
                    let parts = shares_of(&works).into_iter().zip(lying());
                    let found: f64 = parts.filter_map(|(part, lies)| lies.then_some(part[kind])).sum();
                    assert!((found - share).abs() < 0.01, "seed {seed}: {found} of the {name} for {share}");
                }
            }
        }
    }

    #[test]
    fn weight_is_even_among_those_who_are_there_up_to_the_cap() {
        let works = [Work::of(1.0, 0.0), Work::of(0.5, 0.0), Work::of(1.0, 1.0), Work::of(1e6, 0.0)];
        let shares = shares_of(&works);
        let near = |found: f64, wanted: f64| (found - wanted).abs() < 1e-4;
        assert!(
            near(shares[0][0], 1.0 / 3.5) && near(shares[1][0], 2.0 / 3.5) && near(shares[2][0], 0.5 / 3.5)
        );
        assert!(near(shares[0][1], 0.4) && near(shares[1][1], 0.4) && near(shares[2][1], 0.2), "{shares:?}");
        assert!(shares[3][1] < 1e-4, "{shares:?}");
    }

    #[test]
    fn liars_who_hurry_send_a_larger_part_of_the_messages() {
        let part = |attack| {
            let workers = recruit(&fleet(), &Network::default(), Some(attack), 0.3, 4);
            messages_of_liars(workers.iter().map(|worker| (&worker.pace, worker.liar.is_some())), 0.0)
        };
        assert!((part(Attack::Replay) - 0.3).abs() < 0.03, "{}", part(Attack::Replay));
        // With nothing on the way ten times as many: 3 of 3.7.
        let fast = part(Attack::Fast { factor: 10.0 });
        assert!((fast - 0.81).abs() < 0.03, "{fast}");
    }

    #[test]
    fn an_attack_changes_who_lies_and_nothing_else() {
        let times = |attack| -> Vec<f64> {
            recruit(&fleet(), &Network::default(), attack, 0.3, 3)
                .iter()
                .map(|worker| worker.pace.task_s)
                .collect()
        };
        assert_eq!(times(None), times(Some(Attack::LabelFlip)));
        let fast = times(Some(Attack::Fast { factor: 10.0 }));
        assert_eq!(times(None).iter().zip(&fast).filter(|(a, b)| a != b).count(), 15);
    }

    #[test]
    fn stragglers_and_the_unreliable_are_as_many_as_asked_for() {
        let mut workers = recruit(&fleet(), &Network::default(), None, 0.0, 9);
        assert_eq!(workers.iter().filter(|worker| worker.pace.task_s > 20.0).count(), 3);
        let leaves = |worker: &mut Recruit| (0..200).any(|_| worker.pace.away_us().is_some());
        assert_eq!(workers.iter_mut().filter_map(|worker| leaves(worker).then_some(())).count(), 5);
    }
}
