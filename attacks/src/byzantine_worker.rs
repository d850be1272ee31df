//! One attacker and its state.

use farsign::dataset::Dataset;
use farsign::random::Stream;

use crate::{Attack, ObservedUpdates, flip_labels};

/// Numbers of workers and attackers, as known to the attackers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Population {
    /// Workers, attackers included.
    pub workers: usize,
    /// Attackers.
    pub attackers: usize,
}

/// The update of an attacker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AttackOutput<'a> {
    /// The attacker's honest update.
    Honest,
    /// This vector, `[d]`.
    Vector(&'a [f32]),
}

/// A worker that attacks.
#[derive(Debug)]
pub struct ByzantineWorker {
    kind: Attack,
    /// `alie`: standard deviations.
    z: f32,
    /// Updates under the current identity.
    updates: u64,
    /// Honest updates before the first attack under the current identity.
    patience: u64,
    random: Stream,
    /// Seed of the draws that all attackers share.
    shared: u64,
    output: Vec<f32>,
}

impl ByzantineWorker {
    /// Creates an attacker. `seed` is its own, `shared` the common seed of all attackers.
    pub fn new(kind: Attack, population: Population, seed: u64, shared: u64) -> Self {
        let z = match kind {
            Attack::Alie { z: Some(z) } => z,
            _ => alie_z_max(population),
        };
        let random = Stream::new(seed);
        let mut worker = Self {
            kind,
            z,
            updates: 0,
            patience: 0,
            random,
            shared,
            output: Vec::new(),
        };
        worker.reset_identity();
        worker
    }

    /// Starts a new identity.
    pub fn reset_identity(&mut self) {
        self.updates = 0;
        self.patience = match self.kind {
            Attack::Sleeper { honest_updates } => honest_updates,
            Attack::Sybil {
                min_patience,
                max_patience,
            } => min_patience + self.random.below(max_patience - min_patience + 1),
            _ => 0,
        };
    }

    /// Returns the attack.
    pub fn kind(&self) -> Attack {
        self.kind
    }

    /// Returns the poisoned data if the attack trains on such data.
    pub fn poisoned(&self, data: &Dataset) -> Option<Dataset> {
        (self.kind == Attack::LabelFlip).then(|| flip_labels(data))
    }

    /// Returns the next update.
    ///
    /// `own`, `[d]`, is the attacker's honest update, computed on poisoned data if the attack has some; it may be empty if
    /// the attack needs no work of its own. An omniscient attacker is honest until it has observed an update.
    pub fn attack(&mut self, own: &[f32], observed: &mut ObservedUpdates) -> AttackOutput<'_> {
        self.updates += 1;
        if self.updates <= self.patience {
            return AttackOutput::Honest;
        }
        let output = &mut self.output;
        output.clear();
        match self.kind {
            Attack::LabelFlip | Attack::Stale { .. } => return AttackOutput::Honest,
            Attack::SignFlip { scale } => output.extend(own.iter().map(|r| -scale * r)),
            Attack::Sleeper { .. }
            | Attack::Flooding { .. }
            | Attack::Sybil { .. }
            | Attack::ZerothOrder => {
                output.extend(own.iter().map(|r| -r));
            }
            Attack::RandomSign { scale } => {
                let size = scale * rms(own);
                let random = &mut self.random;
                output.extend(own.iter().map(|_| {
                    if random.bits() >> 63 == 0 {
                        size
                    } else {
                        -size
                    }
                }));
            }
            Attack::ConstantSign { scale, positive } => {
                let size = scale * rms(own);
                let mut signs = Stream::new(self.shared);
                let push = |_| {
                    if positive || signs.bits() >> 63 == 0 {
                        size
                    } else {
                        -size
                    }
                };
                output.extend(own.iter().map(push));
            }
            Attack::CoherentDrift { strength } => {
                let size = strength * rms(own);
                let mut signs = Stream::new(self.shared);
                output.extend(own.iter().map(|r| {
                    if signs.bits() >> 63 == 0 {
                        r + size
                    } else {
                        r - size
                    }
                }));
            }
            Attack::Ipm { epsilon } => {
                output.extend(observed.statistics().0.iter().map(|mean| -epsilon * mean));
            }
            Attack::Alie { .. } => {
                let z = self.z;
                let (mean, deviation) = observed.statistics();
                let against = |(mean, sd): (&f32, &f32)| {
                    if *mean > 0.0 {
                        mean - z * sd
                    } else {
                        mean + z * sd
                    }
                };
                output.extend(mean.iter().zip(deviation).map(against));
            }
            Attack::Mimic => output.extend_from_slice(observed.mimicked()),
            Attack::Replay => output.extend_from_slice(observed.first()),
        }
        if output.is_empty() {
            AttackOutput::Honest
        } else {
            AttackOutput::Vector(output)
        }
    }
}

fn rms(vector: &[f32]) -> f32 {
    let squares: f64 = vector.iter().map(|v| f64::from(*v) * f64::from(*v)).sum();
    (squares / vector.len() as f64).sqrt() as f32
}

/// Returns the `z` of `alie` (Baruch et al. 2019, algorithm 3).
///
/// ```text
///   max { z : Phi(z) < (n - f - s) / (n - f) },   s = floor(n / 2 + 1) - f
/// ```
///
/// The result is 1 where the equation has no positive solution: with half of the workers or more attacking, or almost
/// none. It is at least .1, so the update differs from the mean (at a tenth of 50 workers the equation gives .08).
fn alie_z_max(Population { workers, attackers }: Population) -> f32 {
    let supporters = (workers / 2 + 1).saturating_sub(attackers);
    let honest = workers.saturating_sub(attackers);
    if supporters == 0 || supporters >= honest || attackers == 0 {
        return 1.0;
    }
    let bound = (honest - supporters) as f64 / honest as f64;
    let mut low = 0.0;
    let mut high = 8.0;
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        let phi = 0.5 * libm::erfc(-middle / std::f64::consts::SQRT_2);
        if phi < bound {
            low = middle;
        } else {
            high = middle;
        }
    }
    if low > 0.1 { low as f32 } else { 0.1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POPULATION: Population = Population {
        workers: 50,
        attackers: 15,
    };
    const OWN: [f32; 4] = [3.0, -1.0, 0.1, 0.0];

    fn observed() -> ObservedUpdates {
        let mut observed = ObservedUpdates::default();
        observed.observe(1, &[4.0, -2.0, 0.5, 0.0]);
        observed.observe(2, &[2.0, 0.0, -0.25, 0.0]);
        observed
    }

    fn sent(attack: Attack) -> Vec<f32> {
        let mut worker = ByzantineWorker::new(attack, POPULATION, 1, 2);
        match worker.attack(&OWN, &mut observed()) {
            AttackOutput::Honest => OWN.to_vec(),
            AttackOutput::Vector(vector) => vector.to_vec(),
        }
    }

    #[test]
    fn attacks_match_their_definitions() {
        let size = rms(&OWN);
        assert_eq!(
            sent(Attack::SignFlip { scale: 2.0 }),
            [-6.0, 2.0, -0.2, 0.0]
        );
        assert_eq!(
            sent(Attack::ConstantSign {
                scale: 1.0,
                positive: true
            }),
            [size; 4]
        );
        assert!(
            sent(Attack::RandomSign { scale: 1.0 })
                .iter()
                .all(|v| v.abs() == size)
        );
        assert_eq!(
            sent(Attack::Ipm { epsilon: 0.5 }),
            [-1.5, 0.5, -0.0625, 0.0]
        );
        // Means 3, -1, .125 and deviations 1, 1, .375: honest in the first two coordinates, flipped in the third.
        assert_eq!(
            sent(Attack::Alie { z: Some(0.5) }),
            [2.5, -0.5, -0.0625, 0.0]
        );
        assert_eq!(sent(Attack::Mimic), [4.0, -2.0, 0.5, 0.0]);
        assert_eq!(sent(Attack::Replay), [4.0, -2.0, 0.5, 0.0]);
        assert_eq!(sent(Attack::LabelFlip), OWN);
        assert_eq!(sent(Attack::Stale { factor: 10.0 }), OWN);
        let drift = sent(Attack::CoherentDrift { strength: 0.5 });
        assert!(
            drift
                .iter()
                .zip(OWN)
                .all(|(b, r)| ((b - r).abs() - 0.5 * size).abs() < 1e-6),
            "{drift:?}"
        );
        for attack in [Attack::Flooding { factor: 10.0 }, Attack::ZerothOrder] {
            assert_eq!(sent(attack), [-3.0, 1.0, -0.1, 0.0]);
        }
    }

    #[test]
    fn replay_repeats_mimic_follows() {
        let mut replay = ByzantineWorker::new(Attack::Replay, POPULATION, 1, 2);
        let mut mimic = ByzantineWorker::new(Attack::Mimic, POPULATION, 1, 2);
        let mut observed = observed();
        observed.observe(1, &[9.0; 4]);
        assert_eq!(
            replay.attack(&[], &mut observed),
            AttackOutput::Vector(&[4.0, -2.0, 0.5, 0.0])
        );
        assert_eq!(
            mimic.attack(&[], &mut observed),
            AttackOutput::Vector(&[9.0; 4])
        );
        let unobserved = mimic.attack(&OWN, &mut ObservedUpdates::default());
        assert_eq!(unobserved, AttackOutput::Honest, "no update was observed");
    }

    #[test]
    fn coherent_attackers_share_direction() {
        let push = |attack, seed| {
            let mut worker = ByzantineWorker::new(attack, POPULATION, seed, 2);
            match worker.attack(&OWN, &mut observed()) {
                AttackOutput::Vector(vector) => vector
                    .iter()
                    .zip(OWN)
                    .map(|(b, r)| *b > r)
                    .collect::<Vec<_>>(),
                AttackOutput::Honest => Vec::new(),
            }
        };
        for attack in [
            Attack::CoherentDrift { strength: 0.5 },
            Attack::ConstantSign {
                scale: 9.0,
                positive: false,
            },
        ] {
            assert_eq!(push(attack, 1), push(attack, 99));
        }
    }

    fn honest_updates(worker: &mut ByzantineWorker) -> usize {
        let mut honest =
            || worker.attack(&OWN, &mut ObservedUpdates::default()) == AttackOutput::Honest;
        (0..100).take_while(|_| honest()).count()
    }

    #[test]
    fn sleeper_starts_honest() {
        let sleeper = Attack::Sleeper { honest_updates: 7 };
        assert_eq!(
            honest_updates(&mut ByzantineWorker::new(sleeper, POPULATION, 1, 2)),
            7
        );
    }

    #[test]
    fn patient_sybil_identities_start_honest() {
        let sybil = Attack::Sybil {
            min_patience: 12,
            max_patience: 30,
        };
        let mut sybil = ByzantineWorker::new(sybil, POPULATION, 1, 2);
        let identities: Vec<usize> = (0..20)
            .map(|_| {
                sybil.reset_identity();
                honest_updates(&mut sybil)
            })
            .collect();
        assert!(
            identities.iter().all(|honest| (12..=30).contains(honest)),
            "{identities:?}"
        );
        assert!(
            identities.iter().any(|honest| *honest != identities[0]),
            "{identities:?}"
        );
    }

    #[test]
    fn alie_z_matches_paper() {
        // n = 50, f = 24: s = 2, Phi(z) < 24 / 26, the paper's 1.43 (its section 4).
        assert!(
            (alie_z_max(Population {
                workers: 50,
                attackers: 24
            }) - 1.426)
                .abs()
                < 0.01
        );
        assert!((alie_z_max(POPULATION) - 0.484).abs() < 0.01);
        assert_eq!(
            alie_z_max(Population {
                workers: 10,
                attackers: 6
            }),
            1.0
        );
    }
}
