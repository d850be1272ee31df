//! Attacks that a volunteer can simulate, for demonstrations and tests.
//!
//! The definitions are those of [`farsign_attacks`], applied to sign vectors. A simulated attacker observes what a
//! volunteer observes: its own tasks, the model and the training data. Where a definition requires the updates of
//! honest workers, the attacker substitutes its own most recent honest updates.

use clap::ValueEnum;
use farsign::dataset::ShardedDataset;
use farsign::sign::SignBits;
use farsign_attacks::{AttackOutput, ByzantineWorker, ObservedUpdates, Population};

/// An attack that a volunteer simulates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Attack {
    /// Honest updates
    #[default]
    None,
    /// Every sign flipped
    SignFlip,
    /// Random signs
    RandomSign,
    /// All signs positive
    ConstantSign,
    /// The first honest update, repeated
    Replay,
    /// Updates computed from flipped labels: 9 for 0, 8 for 1 and so on
    LabelFlip,
    /// Signs flipped where recent honest updates disagree, to stay inconspicuous ("A Little Is Enough", Baruch et al.
    /// 2019)
    Alie,
    /// Honest updates first (see --honest-updates), then every sign flipped
    Sleeper,
}

impl Attack {
    /// All attacks.
    pub const ALL: [Self; 7] = [
        Self::SignFlip,
        Self::RandomSign,
        Self::ConstantSign,
        Self::Replay,
        Self::LabelFlip,
        Self::Alie,
        Self::Sleeper,
    ];

    /// Returns the definition of the attack, or `None` for an honest volunteer.
    fn definition(self, honest_updates: u64) -> Option<farsign_attacks::Attack> {
        use farsign_attacks::Attack as Definition;
        Some(match self {
            Self::None => return None,
            Self::SignFlip => Definition::SignFlip { scale: 1.0 },
            Self::RandomSign => Definition::RandomSign { scale: 1.0 },
            Self::ConstantSign => Definition::ConstantSign {
                scale: 1.0,
                positive: true,
            },
            Self::Replay => Definition::Replay,
            Self::LabelFlip => Definition::LabelFlip,
            Self::Alie => Definition::Alie { z: Some(1.0) },
            Self::Sleeper => Definition::Sleeper { honest_updates },
        })
    }
}

/// Number of own recent updates that stand in for those of other workers.
const POPULATION: u64 = 8;

/// The state of the attack that a volunteer simulates.
#[derive(Debug)]
pub struct AttackState {
    worker: Option<ByzantineWorker>,
    /// Own recent honest updates, as vectors of signs.
    observed: ObservedUpdates,
    updates: u64,
    honest: Vec<f32>,
}

impl AttackState {
    /// Creates the state of an attack. A `sleeper` sends `honest_updates` honest updates first.
    pub fn new(attack: Attack, honest_updates: u64, seed: u64) -> Self {
        let alone = Population {
            workers: 1,
            attackers: 1,
        };
        let worker = attack
            .definition(honest_updates)
            .map(|definition| ByzantineWorker::new(definition, alone, seed, seed));
        Self {
            worker,
            observed: ObservedUpdates::default(),
            updates: 0,
            honest: Vec::new(),
        }
    }

    /// Returns the poisoned data that the attack computes on, or `None` if it uses the training data.
    pub fn poisoned(&self, data: &ShardedDataset) -> Option<ShardedDataset> {
        let worker = self.worker.as_ref()?;
        data.replaced(|shard| worker.poisoned(shard))
    }

    /// Returns the update to send instead of `honest`, or `None` to send `honest`.
    ///
    /// If the attack computes on poisoned data, `honest` is the update of that data.
    pub fn malicious_update(&mut self, honest: &SignBits) -> Option<SignBits> {
        let worker = self.worker.as_mut()?;
        self.honest.clear();
        self.honest.extend(honest.iter());
        self.observed
            .observe((self.updates % POPULATION) as usize, &self.honest);
        self.updates += 1;
        match worker.attack(&self.honest, &mut self.observed) {
            AttackOutput::Honest => None,
            AttackOutput::Vector(update) => Some(signs(update)),
        }
    }
}

fn signs(values: &[f32]) -> SignBits {
    let mut signs = SignBits::default();
    signs.copy_from(values, 0);
    signs
}

#[cfg(test)]
mod tests {
    use super::*;
    use farsign::dataset::{Dataset, DatasetParts};

    fn sent(attack: &mut AttackState, honest: &SignBits) -> SignBits {
        attack
            .malicious_update(honest)
            .unwrap_or_else(|| honest.clone())
    }

    #[test]
    fn attacks_match_their_definitions() {
        let one = signs(&[1.0, -1.0, 1.0]);
        let other = signs(&[-1.0, -1.0, 1.0]);
        let state = |attack| AttackState::new(attack, 2, 1);
        assert_eq!(sent(&mut state(Attack::None), &one), one);
        assert_eq!(
            sent(&mut state(Attack::SignFlip), &one),
            signs(&[-1.0, 1.0, -1.0])
        );
        assert_eq!(
            sent(&mut state(Attack::ConstantSign), &one),
            signs(&[1.0, 1.0, 1.0])
        );

        let mut replay = state(Attack::Replay);
        assert_eq!(
            [sent(&mut replay, &one), sent(&mut replay, &other)],
            [one.clone(), one.clone()]
        );

        let mut sleeper = state(Attack::Sleeper);
        let three = [(); 3].map(|()| sent(&mut sleeper, &one));
        assert_eq!(three, [one.clone(), one.clone(), one.flipped()]);

        let mut random = state(Attack::RandomSign);
        let long = signs(&[1.0; 64]);
        assert_ne!(sent(&mut random, &long), sent(&mut random, &long));
    }

    #[test]
    fn alie_flips_only_disagreeing_signs() {
        let mut attack = AttackState::new(Attack::Alie, 0, 1);
        let mut last = SignBits::default();
        for n in 0..40 {
            last = sent(
                &mut attack,
                &signs(&[1.0, -1.0, if n % 3 == 0 { -1.0 } else { 1.0 }]),
            );
        }
        assert_eq!(
            last,
            signs(&[1.0, -1.0, -1.0]),
            "the third sign is mostly positive"
        );
    }

    #[test]
    fn label_flip_computes_on_flipped_labels() {
        let parts = DatasetParts {
            rows: 1,
            cols: 1,
            images: vec![1, 2, 3],
            labels: vec![0, 1, 2],
        };
        let data = Dataset::from_parts(parts).unwrap();
        let data = ShardedDataset::from(std::sync::Arc::new(data));
        let poisoned = AttackState::new(Attack::LabelFlip, 0, 1)
            .poisoned(&data)
            .unwrap();
        let labels_and_images = |data: &ShardedDataset| {
            let images = data.first(data.held()).unwrap();
            let located = (0..images.len()).map(|index| images.locate(index));
            let both = located.map(|(data, at)| (data.label(at), data.image(at).to_vec()));
            both.unzip::<_, _, Vec<_>, Vec<_>>()
        };
        let (labels, images) = labels_and_images(&poisoned);
        assert_eq!(
            (labels, images),
            (vec![2, 1, 0], labels_and_images(&data).1)
        );
        assert!(
            AttackState::new(Attack::SignFlip, 0, 1)
                .poisoned(&data)
                .is_none()
        );
    }
}
