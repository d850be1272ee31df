//! What all runs of a scenario share: data and the model. Nothing in it changes.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use farsign::dataset::Dataset;
use farsign::model::Architecture;

use crate::attack::with_labels_turned_round;
use crate::chance::{Chance, Part};
use crate::host::directions_of;
use crate::scenario::{Data, Kind, Method, Scenario, ScenarioError};

/// Most training images that are held back for the tuning.
const MOST_VALIDATION: usize = 10_000;

/// Data and model.
#[derive(Debug)]
pub struct Materials {
    /// The model.
    pub architecture: Architecture,
    /// What workers train on.
    pub train: Arc<Dataset>,
    /// The end of the training data, which is not trained on: learning rates are chosen by it, and methods that need data
    /// of the host's own draw from it.
    pub validation: Arc<Dataset>,
    /// What the end of a run is measured on.
    pub test: Arc<Dataset>,
    /// The part of it that curves are measured on.
    pub curve: Arc<Dataset>,
    /// The training data with its labels turned round, once somebody asks.
    poisoned: OnceLock<Arc<Dataset>>,
    split: Data,
    workers: usize,
    /// Parts of the data by seed, once somebody asks.
    shards: Mutex<BTreeMap<u64, Shards>>,
}

/// One part of the data for each worker.
type Shards = Arc<[Arc<Dataset>]>;

/// Whose data is whose in one run.
#[derive(Clone, Debug)]
pub struct Allotment<'a> {
    materials: &'a Materials,
    shards: Option<Shards>,
}

impl Allotment<'_> {
    /// What a worker trains on.
    pub fn of(&self, worker: usize) -> Arc<Dataset> {
        Arc::clone(self.shards.as_ref().map_or(&self.materials.train, |shards| &shards[worker]))
    }

    /// The same with its labels turned round.
    pub fn poisoned_of(&self, worker: usize) -> Arc<Dataset> {
        let poison = |data: &Dataset| Arc::new(with_labels_turned_round(data).indexed());
        match &self.shards {
            None => {
                let materials = self.materials;
                Arc::clone(materials.poisoned.get_or_init(|| poison(&materials.train)))
            }
            Some(shards) => poison(&shards[worker]),
        }
    }
}

impl Materials {
    /// For a scenario, from the training and the held-out data. The last 10,000 training images, or a tenth of them if
    /// that is less than a sixth, are for validation.
    ///
    /// # Errors
    /// When the data are not of such a model, or not enough, or a method asks for directions that the model has not.
    pub fn new(scenario: &Scenario, train: &Dataset, test: &Dataset) -> Result<Self, ScenarioError> {
        let mut widths = vec![train.pixels()];
        widths.extend(&scenario.model.hidden);
        widths.push(train.classes());
        let architecture = Architecture::new(widths)
            .map_err(|error| ScenarioError { mistakes: vec![format!("model.hidden: {error}")] })?;
        let mut mistakes = impossible_directions(scenario, architecture.parameters());
        if train.len() < 2 * scenario.fleet.workers {
            mistakes
                .push(format!("expected two training images for each worker, found {} images", train.len()));
        }
        if !mistakes.is_empty() {
            return Err(ScenarioError { mistakes });
        }
        let held_back = (train.len() / 10).max(1);
        let held_back = if train.len() < 6 * MOST_VALIDATION { held_back } else { MOST_VALIDATION };
        let (end, curve) = (train.len() - held_back, scenario.run.curve_images.min(test.len()));
        let part = |data: &Dataset, range: Range<usize>| Arc::new(data.select(range).indexed());
        Ok(Self {
            architecture,
            train: part(train, 0..end),
            validation: part(train, end..train.len()),
            test: part(test, 0..test.len()),
            curve: part(test, 0..curve),
            poisoned: OnceLock::new(),
            split: scenario.data,
            workers: scenario.fleet.workers,
            shards: Mutex::default(),
        })
    }

    /// Whose data is whose in the runs of a seed.
    pub fn allot(&self, seed: u64) -> Allotment<'_> {
        let shards = (self.split != Data::Shared).then(|| {
            let mut made = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(made.entry(seed).or_insert_with(|| self.split(seed)))
        });
        Allotment { materials: self, shards }
    }

    fn split(&self, seed: u64) -> Shards {
        let mut chance = Chance::new(seed, Part::Shards, 0);
        let mut owners: Vec<Vec<usize>> = vec![Vec::new(); self.workers];
        for class in 0..self.train.classes() {
            let of_class = |&index: &usize| usize::from(self.train.label(index)) == class;
            let mut members: Vec<usize> = (0..self.train.len()).filter(of_class).collect();
            chance.shuffle(&mut members);
            let weight = |chance: &mut Chance| match self.split {
                Data::Dirichlet { alpha } => chance.gamma(alpha),
                Data::Shared | Data::Iid => 1.0,
            };
            let mut weights: Vec<f64> = (0..self.workers).map(|_| weight(&mut chance)).collect();
            if weights.iter().sum::<f64>() == 0.0 {
                // The concentration is so small that weights are too: in the limit, all of the class is one worker's.
                let owner = chance.below(self.workers);
                weights = (0..self.workers).map(|worker| f64::from(u8::from(worker == owner))).collect();
            }
            deal(&members, &weights, &mut owners);
        }
        // Who got nothing gets one image of whoever has most, so that everybody has something to work on.
        while let Some(poor) = owners.iter().position(Vec::is_empty) {
            let rich = (0..owners.len()).max_by_key(|&index| owners[index].len()).expect("there are workers");
            let image = owners[rich].pop().expect("there are more images than workers");
            owners[poor].push(image);
        }
        owners.into_iter().map(|own| Arc::new(self.train.select(own.into_iter()).indexed())).collect()
    }
}

/// Directions that no family can give for so many parameters.
fn impossible_directions(scenario: &Scenario, parameters: usize) -> Vec<String> {
    let mistake = |method: &Method| {
        let Kind::FarSign(far_sign) = &method.kind else { return None };
        let error = directions_of(far_sign, parameters).err()?;
        Some(format!("methods.{}.directions: {error}", method.name))
    };
    scenario.methods.iter().filter_map(mistake).collect()
}

/// Deals images out in proportion to the weights.
fn deal(images: &[usize], weights: &[f64], owners: &mut [Vec<usize>]) {
    let (total, mut so_far, mut dealt): (f64, f64, usize) = (weights.iter().sum(), 0.0, 0);
    for (weight, owner) in weights.iter().zip(owners) {
        so_far += weight;
        let end = ((so_far / total) * images.len() as f64).round() as usize;
        owner.extend(&images[dealt..end.clamp(dealt, images.len())]);
        dealt = end.clamp(dealt, images.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{digits, scenario};

    fn materials(split: Data) -> Materials {
        let mut scenario = scenario();
        scenario.data = split;
        let (train, test) = digits();
        Materials::new(&scenario, &train, &test).unwrap()
    }

    #[test]
    fn validation_is_not_trained_on() {
        let (all, _) = digits();
        let made = materials(Data::Shared);
        assert_eq!(made.train.len() + made.validation.len(), all.len());
        assert_eq!(made.validation.len(), all.len() / 10);
        assert_eq!(made.validation.image(0), all.image(made.train.len()));
    }

    #[test]
    fn shards_share_out_every_image_once() {
        let dirichlet = |alpha| Data::Dirichlet { alpha };
        for split in [Data::Iid, dirichlet(0.3), dirichlet(1e-4), dirichlet(1e-9), dirichlet(1e6)] {
            let made = materials(split);
            let allotment = made.allot(4);
            let mut dealt: Vec<Vec<u8>> = (0..made.workers)
                .flat_map(|worker| {
                    let own = allotment.of(worker);
                    (0..own.len()).map(|n| own.image(n).to_vec()).collect::<Vec<_>>()
                })
                .collect();
            let mut all: Vec<Vec<u8>> = (0..made.train.len()).map(|n| made.train.image(n).to_vec()).collect();
            dealt.sort_unstable();
            all.sort_unstable();
            assert!(dealt == all, "{split:?} of seed 4");
        }
    }

    #[test]
    fn dirichlet_shards_are_less_alike_than_random_ones() {
        let largest_class = |split| {
            let made = materials(split);
            let allotment = made.allot(4);
            let share = |worker| {
                let own = allotment.of(worker);
                let mut counts = [0; 10];
                own.labels().iter().for_each(|label| counts[usize::from(*label)] += 1);
                f64::from(counts.into_iter().max().unwrap()) / own.len() as f64
            };
            (0..made.workers).map(share).sum::<f64>() / made.workers as f64
        };
        let (random, skewed) = (largest_class(Data::Iid), largest_class(Data::Dirichlet { alpha: 0.3 }));
        assert!(random < 0.3 && skewed > 0.35, "largest class {random} and {skewed} of a shard");
    }
}
