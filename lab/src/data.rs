//! Data and model, shared by all runs of a scenario and never modified.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use farsign::dataset::Dataset;
use farsign::fixed_point::FixedPoint;
use farsign::model::Architecture;
use farsign::schedule::{Decay, StepSize};
use farsign_attacks::flip_labels;

use crate::rng::{RngStream, SimRng};
use crate::scenario::{DataSplit, Method, MethodKind, Scenario, ScenarioError};

/// Maximum number of training images that are held back for tuning.
const MAX_VALIDATION: usize = 10_000;

/// Data sets and model of an experiment.
#[derive(Debug)]
pub struct ExperimentData {
    /// The model.
    pub architecture: Architecture,
    /// Training data of the workers.
    pub train: Arc<Dataset>,
    /// The end of the training data, withheld from training: for tuning, and for methods that need server data.
    pub validation: Arc<Dataset>,
    /// Held-out data for the end of a run.
    pub test: Arc<Dataset>,
    /// Part of the held-out data, for curves.
    pub curve: Arc<Dataset>,
    /// The training data with flipped labels, created on first use.
    poisoned: OnceLock<Arc<Dataset>>,
    split: DataSplit,
    workers: usize,
    /// Shards by seed, created on first use.
    shards: Mutex<BTreeMap<u64, Shards>>,
}

/// One shard for each worker.
type Shards = Arc<[Arc<Dataset>]>;

/// The partition of the training data over the workers of one run.
#[derive(Clone, Debug)]
pub struct DataPartition<'a> {
    data: &'a ExperimentData,
    shards: Option<Shards>,
}

impl DataPartition<'_> {
    /// Returns the training data of a worker.
    pub fn shard(&self, worker: usize) -> Arc<Dataset> {
        Arc::clone(
            self.shards
                .as_ref()
                .map_or(&self.data.train, |shards| &shards[worker]),
        )
    }

    /// Returns the training data of a worker with flipped labels.
    pub fn poisoned_shard(&self, worker: usize) -> Arc<Dataset> {
        let poison = |data: &Dataset| Arc::new(flip_labels(data).indexed());
        match &self.shards {
            None => Arc::clone(self.data.poisoned.get_or_init(|| poison(&self.data.train))),
            Some(shards) => poison(&shards[worker]),
        }
    }
}

impl ExperimentData {
    /// Prepares the data of a scenario from the training and the held-out data.
    ///
    /// The validation data are the last 10,000 training images, or a tenth of them if 10,000 is more than a sixth.
    ///
    /// # Errors
    /// Returns an error if the data do not fit the model, are too few, or a method has impossible directions.
    pub fn new(
        scenario: &Scenario,
        train: &Dataset,
        test: &Dataset,
    ) -> Result<Self, ScenarioError> {
        let mut widths = vec![train.pixels()];
        widths.extend(&scenario.model.hidden);
        widths.push(train.classes());
        let architecture = Architecture::new(widths).map_err(|error| ScenarioError {
            mistakes: vec![format!("model.hidden: {error}")],
        })?;
        let mut mistakes = misfit_methods(scenario, architecture.parameters());
        if train.len() < 2 * scenario.fleet.workers {
            mistakes.push(format!(
                "expected two training images for each worker, found {} images",
                train.len()
            ));
        }
        if !mistakes.is_empty() {
            return Err(ScenarioError { mistakes });
        }
        let tenth = (train.len() / 10).max(1);
        let held_back = if train.len() < 6 * MAX_VALIDATION {
            tenth
        } else {
            MAX_VALIDATION
        };
        let end = train.len() - held_back;
        let curve = scenario.run.curve_images.min(test.len());
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

    /// Returns the partition of the data in the runs of a seed.
    pub fn partition(&self, seed: u64) -> DataPartition<'_> {
        let shards = (self.split != DataSplit::Shared).then(|| {
            let mut created = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(
                created
                    .entry(seed)
                    .or_insert_with(|| self.create_shards(seed)),
            )
        });
        DataPartition { data: self, shards }
    }

    fn create_shards(&self, seed: u64) -> Shards {
        let mut rng = SimRng::new(seed, RngStream::Shards, 0);
        let mut owners: Vec<Vec<usize>> = vec![Vec::new(); self.workers];
        for class in 0..self.train.classes() {
            let of_class = |&index: &usize| usize::from(self.train.label(index)) == class;
            let mut images: Vec<usize> = (0..self.train.len()).filter(of_class).collect();
            rng.shuffle(&mut images);
            let weight = |rng: &mut SimRng| match self.split {
                DataSplit::Dirichlet { alpha } => rng.gamma(alpha),
                DataSplit::Shared | DataSplit::Iid => 1.0,
            };
            let mut weights: Vec<f64> = (0..self.workers).map(|_| weight(&mut rng)).collect();
            if weights.iter().sum::<f64>() == 0.0 {
                // A tiny concentration makes all weights underflow. In the limit, one worker owns the class.
                let owner = rng.uniform_below(self.workers);
                weights = (0..self.workers)
                    .map(|worker| f64::from(u8::from(worker == owner)))
                    .collect();
            }
            distribute(&images, &weights, &mut owners);
        }
        // A worker without images receives one from the largest shard, so every worker can train.
        while let Some(empty) = owners.iter().position(Vec::is_empty) {
            let largest = (0..owners.len())
                .max_by_key(|&index| owners[index].len())
                .expect("there are workers");
            let image = owners[largest]
                .pop()
                .expect("there are more images than workers");
            owners[empty].push(image);
        }
        owners
            .into_iter()
            .map(|own| Arc::new(self.train.select(own.into_iter()).indexed()))
            .collect()
    }
}

/// Returns a mistake for each method whose directions or steps do not fit this number of parameters.
fn misfit_methods(scenario: &Scenario, parameters: usize) -> Vec<String> {
    let largest = scenario.tuning.factors.iter().copied().fold(1.0, f64::max);
    let mistake = |method: &Method| {
        let MethodKind::FarSign(far_sign) = &method.kind else {
            return None;
        };
        let name = &method.name;
        let directions = match far_sign.direction_spec(parameters) {
            Ok(directions) => directions,
            Err(error) => return Some(format!("methods.{name}.directions: {error}")),
        };
        let horizon = far_sign.horizon * scenario.run.updates as f64;
        let step_size = StepSize {
            initial: largest * method.learning_rate,
            decay: Decay::Cosine { horizon },
        };
        let error = FixedPoint::for_run(&[], step_size, directions).err()?;
        Some(format!("methods.{name}.learning_rate: {error}"))
    };
    scenario.methods.iter().filter_map(mistake).collect()
}

/// Distributes images in proportion to the weights.
fn distribute(images: &[usize], weights: &[f64], owners: &mut [Vec<usize>]) {
    let total: f64 = weights.iter().sum();
    let mut cumulative = 0.0;
    let mut start = 0;
    for (weight, owner) in weights.iter().zip(owners) {
        cumulative += weight;
        let end = ((cumulative / total) * images.len() as f64).round() as usize;
        let end = end.clamp(start, images.len());
        owner.extend(&images[start..end]);
        start = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{digits, scenario};

    fn data(split: DataSplit) -> ExperimentData {
        let mut scenario = scenario();
        scenario.data = split;
        let (train, test) = digits();
        ExperimentData::new(&scenario, &train, &test).unwrap()
    }

    #[test]
    fn validation_data_excluded_from_training() {
        let (all, _) = digits();
        let data = data(DataSplit::Shared);
        assert_eq!(data.train.len() + data.validation.len(), all.len());
        assert_eq!(data.validation.len(), all.len() / 10);
        assert_eq!(data.validation.image(0), all.image(data.train.len()));
    }

    #[test]
    fn shards_contain_each_image_once() {
        let dirichlet = |alpha| DataSplit::Dirichlet { alpha };
        for split in [
            DataSplit::Iid,
            dirichlet(0.3),
            dirichlet(1e-4),
            dirichlet(1e-9),
            dirichlet(1e6),
        ] {
            let data = data(split);
            let partition = data.partition(4);
            let mut distributed: Vec<Vec<u8>> = (0..data.workers)
                .flat_map(|worker| {
                    let own = partition.shard(worker);
                    (0..own.len())
                        .map(|n| own.image(n).to_vec())
                        .collect::<Vec<_>>()
                })
                .collect();
            let mut all: Vec<Vec<u8>> = (0..data.train.len())
                .map(|n| data.train.image(n).to_vec())
                .collect();
            distributed.sort_unstable();
            all.sort_unstable();
            assert!(distributed == all, "{split:?} of seed 4");
        }
    }

    #[test]
    fn dirichlet_shards_are_skewed() {
        let largest_class = |split| {
            let data = data(split);
            let partition = data.partition(4);
            let fraction = |worker| {
                let own = partition.shard(worker);
                let mut counts = [0; 10];
                own.labels()
                    .iter()
                    .for_each(|label| counts[usize::from(*label)] += 1);
                f64::from(counts.into_iter().max().unwrap()) / own.len() as f64
            };
            (0..data.workers).map(fraction).sum::<f64>() / data.workers as f64
        };
        let random = largest_class(DataSplit::Iid);
        let skewed = largest_class(DataSplit::Dirichlet { alpha: 0.3 });
        assert!(
            random < 0.3 && skewed > 0.35,
            "largest class {random} and {skewed} of a shard"
        );
    }
}
