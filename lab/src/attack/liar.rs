//! One liar, and what it remembers.

use farsign::dataset::Dataset;
use farsign::random::Stream;

use super::{Attack, Crowd, with_labels_turned_round};

/// How many there are, as far as liars know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Company {
    /// Workers, liars among them.
    pub workers: usize,
    /// Liars.
    pub liars: usize,
}

/// What a liar sends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Lie<'a> {
    /// Its honest answer.
    Honest,
    /// This vector, `[d]`.
    Vector(&'a [f32]),
}

/// A worker that lies.
#[derive(Debug)]
pub struct Liar {
    attack: Attack,
    /// `a-little`: standard deviations.
    z: f32,
    /// Answers under the present name.
    answers: u64,
    /// Honest answers before the first lie under the present name.
    patience: u64,
    random: Stream,
    /// Draws what all liars share.
    shared: u64,
    lie: Vec<f32>,
}

impl Liar {
    /// One that lies in this way. `seed` is its own, `shared` that of all liars.
    pub fn new(attack: Attack, company: Company, seed: u64, shared: u64) -> Self {
        let z = match attack {
            Attack::ALittle { z: Some(z) } => z,
            _ => largest_unsuspicious_z(company),
        };
        let mut liar =
            Self { attack, z, answers: 0, patience: 0, random: Stream::new(seed), shared, lie: Vec::new() };
        liar.start_over();
        liar
    }

    /// It has a new name, which nobody knows yet.
    pub fn start_over(&mut self) {
        self.answers = 0;
        self.patience = match self.attack {
            Attack::Sleeper { honest_answers } => honest_answers,
            Attack::Sybil { patience_least, patience_most } => {
                patience_least + self.random.below(patience_most - patience_least + 1)
            }
            _ => 0,
        };
    }

    /// How it lies.
    pub fn attack(&self) -> Attack {
        self.attack
    }

    /// The data it works on in place of its own, if that is how it lies.
    pub fn poisoned(&self, data: &Dataset) -> Option<Dataset> {
        (self.attack == Attack::LabelFlip).then(|| with_labels_turned_round(data))
    }

    /// What it sends. `own`, `[d]`, is its honest answer, computed from poisoned data where it has some; it may be empty
    /// where the attack needs no work of its own. Before an omniscient liar has seen anybody, it is honest.
    pub fn lie(&mut self, own: &[f32], crowd: &mut Crowd) -> Lie<'_> {
        self.answers += 1;
        if self.answers <= self.patience {
            return Lie::Honest;
        }
        let lie = &mut self.lie;
        lie.clear();
        match self.attack {
            Attack::LabelFlip | Attack::Slow { .. } => return Lie::Honest,
            Attack::SignFlip { scale } => lie.extend(own.iter().map(|r| -scale * r)),
            Attack::Sleeper { .. } | Attack::Fast { .. } | Attack::Sybil { .. } | Attack::ZerothOrder => {
                lie.extend(own.iter().map(|r| -r));
            }
            Attack::Random { scale } => {
                let (size, random) = (scale * rms(own), &mut self.random);
                lie.extend(own.iter().map(|_| if random.bits() >> 63 == 0 { size } else { -size }));
            }
            Attack::Constant { scale, positive } => {
                let (size, mut signs) = (scale * rms(own), Stream::new(self.shared));
                lie.extend(
                    own.iter().map(|_| if positive || signs.bits() >> 63 == 0 { size } else { -size }),
                );
            }
            Attack::Drift { strength } => {
                let (size, mut signs) = (strength * rms(own), Stream::new(self.shared));
                lie.extend(own.iter().map(|r| if signs.bits() >> 63 == 0 { r + size } else { r - size }));
            }
            Attack::InnerProduct { epsilon } => {
                lie.extend(crowd.statistics().0.iter().map(|mean| -epsilon * mean));
            }
            Attack::ALittle { .. } => {
                let (z, (mean, deviation)) = (self.z, crowd.statistics());
                let against =
                    |(mean, sd): (&f32, &f32)| if *mean > 0.0 { mean - z * sd } else { mean + z * sd };
                lie.extend(mean.iter().zip(deviation).map(against));
            }
            Attack::Mimic => lie.extend_from_slice(crowd.of_one()),
            Attack::Replay => lie.extend_from_slice(crowd.first()),
        }
        if lie.is_empty() { Lie::Honest } else { Lie::Vector(lie) }
    }
}

fn rms(vector: &[f32]) -> f32 {
    let squares: f64 = vector.iter().map(|v| f64::from(*v) * f64::from(*v)).sum();
    (squares / vector.len() as f64).sqrt() as f32
}

/// `max { z : Phi(z) < (n - f - s) / (n - f) }` with `s = floor(n / 2 + 1) - f` (Baruch et al. 2019, algorithm 3), and
/// one where that asks for nothing: with half of the workers or more lying, or next to none. At least .1, so that a lie
/// is not the mean itself (at a tenth of 50 workers the equation gives .08).
fn largest_unsuspicious_z(Company { workers, liars }: Company) -> f32 {
    let supporters = (workers / 2 + 1).saturating_sub(liars);
    let honest = workers.saturating_sub(liars);
    if supporters == 0 || supporters >= honest || liars == 0 {
        return 1.0;
    }
    let share = (honest - supporters) as f64 / honest as f64;
    let (mut low, mut high) = (0.0, 8.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        let phi = 0.5 * libm::erfc(-middle / std::f64::consts::SQRT_2);
        if phi < share { low = middle } else { high = middle }
    }
    if low > 0.1 { low as f32 } else { 0.1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPANY: Company = Company { workers: 50, liars: 15 };
    const OWN: [f32; 4] = [3.0, -1.0, 0.1, 0.0];

    fn crowd() -> Crowd {
        let mut crowd = Crowd::default();
        crowd.see(1, &[4.0, -2.0, 0.5, 0.0]);
        crowd.see(2, &[2.0, 0.0, -0.25, 0.0]);
        crowd
    }

    fn sent(attack: Attack) -> Vec<f32> {
        let mut liar = Liar::new(attack, COMPANY, 1, 2);
        match liar.lie(&OWN, &mut crowd()) {
            Lie::Honest => OWN.to_vec(),
            Lie::Vector(lie) => lie.to_vec(),
        }
    }

    #[test]
    fn each_attack_sends_what_its_definition_says() {
        let size = rms(&OWN);
        assert_eq!(sent(Attack::SignFlip { scale: 2.0 }), [-6.0, 2.0, -0.2, 0.0]);
        assert_eq!(sent(Attack::Constant { scale: 1.0, positive: true }), [size; 4]);
        assert!(sent(Attack::Random { scale: 1.0 }).iter().all(|v| v.abs() == size));
        assert_eq!(sent(Attack::InnerProduct { epsilon: 0.5 }), [-1.5, 0.5, -0.0625, 0.0]);
        // Means 3, -1, .125 and deviations 1, 1, .375: honest in the first two, turned round in the third.
        assert_eq!(sent(Attack::ALittle { z: Some(0.5) }), [2.5, -0.5, -0.0625, 0.0]);
        assert_eq!(sent(Attack::Mimic), [4.0, -2.0, 0.5, 0.0]);
        assert_eq!(sent(Attack::Replay), [4.0, -2.0, 0.5, 0.0]);
        assert_eq!(sent(Attack::LabelFlip), OWN);
        assert_eq!(sent(Attack::Slow { factor: 10.0 }), OWN);
        let drift = sent(Attack::Drift { strength: 0.5 });
        assert!(drift.iter().zip(OWN).all(|(b, r)| ((b - r).abs() - 0.5 * size).abs() < 1e-6), "{drift:?}");
        for attack in [Attack::Fast { factor: 10.0 }, Attack::ZerothOrder] {
            assert_eq!(sent(attack), [-3.0, 1.0, -0.1, 0.0]);
        }
    }

    #[test]
    fn replay_repeats_the_first_answer_while_mimic_follows_its_worker() {
        let (mut replay, mut mimic) =
            (Liar::new(Attack::Replay, COMPANY, 1, 2), Liar::new(Attack::Mimic, COMPANY, 1, 2));
        let mut crowd = crowd();
        crowd.see(1, &[9.0; 4]);
        assert_eq!(replay.lie(&[], &mut crowd), Lie::Vector(&[4.0, -2.0, 0.5, 0.0]));
        assert_eq!(mimic.lie(&[], &mut crowd), Lie::Vector(&[9.0; 4]));
        assert_eq!(mimic.lie(&OWN, &mut Crowd::default()), Lie::Honest, "it has seen nobody yet");
    }

    #[test]
    fn liars_that_push_push_the_same_way_whatever_their_own_seed() {
        let push = |attack, seed| match Liar::new(attack, COMPANY, seed, 2).lie(&OWN, &mut crowd()) {
            Lie::Vector(lie) => lie.iter().zip(OWN).map(|(b, r)| *b > r).collect::<Vec<_>>(),
            Lie::Honest => Vec::new(),
        };
        for attack in [Attack::Drift { strength: 0.5 }, Attack::Constant { scale: 9.0, positive: false }] {
            assert_eq!(push(attack, 1), push(attack, 99));
        }
    }

    #[test]
    fn sleepers_and_patient_sybils_are_honest_first_and_again_under_a_new_name() {
        let honest_answers = |liar: &mut Liar| {
            (0..100).take_while(|_| liar.lie(&OWN, &mut Crowd::default()) == Lie::Honest).count()
        };
        let mut sleeper = Liar::new(Attack::Sleeper { honest_answers: 7 }, COMPANY, 1, 2);
        assert_eq!(honest_answers(&mut sleeper), 7);
        let mut sybil = Liar::new(Attack::Sybil { patience_least: 12, patience_most: 30 }, COMPANY, 1, 2);
        let lives: Vec<usize> = (0..20)
            .map(|_| {
                sybil.start_over();
                honest_answers(&mut sybil)
            })
            .collect();
        assert!(lives.iter().all(|life| (12..=30).contains(life)), "{lives:?}");
        assert!(lives.iter().any(|life| *life != lives[0]), "{lives:?}");
    }

    #[test]
    fn the_deviations_of_a_little_are_those_of_its_paper() {
        // n = 50, f = 24: s = 2, Phi(z) < 24 / 26, the paper's 1.43 (its section 4).
        assert!((largest_unsuspicious_z(Company { workers: 50, liars: 24 }) - 1.426).abs() < 0.01);
        assert!((largest_unsuspicious_z(COMPANY) - 0.484).abs() < 0.01);
        assert_eq!(largest_unsuspicious_z(Company { workers: 10, liars: 6 }), 1.0);
    }
}
