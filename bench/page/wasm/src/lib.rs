//! One gradient step with each of this project's kernels, natively and in a browser's worker.
//!
//! The model, the parameters and the minibatches match a volunteer's first tasks on the given digits.

use std::sync::Arc;

use farsign::dataset::{Dataset, DatasetError, IdxFile, IdxPair};
use farsign::direction::{DirectionFamily, DirectionSpec};
use farsign::estimate::Order;
use farsign::kernels::reference::Reference;
use farsign::kernels::sparse::Kernel;
use farsign::minibatch::Minibatch;
use farsign::model::Architecture;
use farsign::sign_update::UpdateComputer;
use farsign::task::{RunSettings, Task, TaskId};
use farsign::version::VersionHash;
use wasm_bindgen::prelude::*;

/// Images in a minibatch.
pub const BATCH: usize = 128;
/// Minibatches that the steps cycle through.
pub const BATCHES: usize = 8;
/// Layer widths of the model.
const WIDTHS: [usize; 3] = [784, 128, 10];

/// The inputs of a step, and the gradient of the last step.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Steps {
    data: Arc<Dataset>,
    batches: Vec<Minibatch>,
    x: Vec<f32>,
    gradient: Vec<f32>,
    kernel: Kernel,
    reference: Reference,
    computer: UpdateComputer,
}

impl Steps {
    /// Prepares steps on training digits in MNIST's format, gzipped or not.
    ///
    /// # Errors
    /// Returns an error if the files are not digits of MNIST's size.
    pub fn of(images: &[u8], labels: &[u8]) -> Result<Self, DatasetError> {
        let images = IdxFile {
            name: "images",
            bytes: images,
        };
        let labels = IdxFile {
            name: "labels",
            bytes: labels,
        };
        let data = Arc::new(Dataset::training(IdxPair { images, labels })?);
        let architecture = Architecture::new(WIDTHS.to_vec()).expect("a valid architecture");
        let d = architecture.parameters();
        let settings = RunSettings {
            run_id: 1,
            order: Order::First,
            directions: DirectionSpec::new(DirectionFamily::Coordinate, d, d)
                .expect("valid directions"),
            batch: BATCH as u32,
            beta: 0.3,
            task_timeout_ms: 60_000,
            train_digest: data.digest(),
            architecture: architecture.clone(),
        };
        let draw = |index: usize| {
            let mut batch = Minibatch::default();
            batch.draw(&data, seed(index), BATCH);
            batch
        };
        Ok(Self {
            batches: (0..BATCHES).map(draw).collect(),
            x: architecture.initial_parameters(1),
            gradient: vec![0.0; d],
            kernel: Kernel::new(&architecture),
            reference: Reference::new(&architecture),
            computer: UpdateComputer::new(settings),
            data,
        })
    }

    /// Returns the gradient of the last step, `[d]`.
    pub fn last_gradient(&self) -> &[f32] {
        &self.gradient
    }
}

fn seed(index: usize) -> u64 {
    1 + (index % BATCHES) as u64
}

#[wasm_bindgen]
impl Steps {
    /// Calls [`Steps::of`] for JavaScript.
    ///
    /// # Errors
    /// Returns the error as a message.
    #[wasm_bindgen(constructor)]
    pub fn from_js(images: &[u8], labels: &[u8]) -> Result<Self, JsError> {
        Ok(Self::of(images, labels)?)
    }

    /// Runs a step with the production kernel on the minibatch `index` modulo [`BATCHES`], and returns the loss.
    pub fn sparse(&mut self, index: usize) -> f32 {
        self.kernel
            .loss_and_gradient(&self.x, &self.batches[index % BATCHES], &mut self.gradient)
    }

    /// Runs the step with ndarray, and returns the loss.
    pub fn ndarray(&mut self, index: usize) -> f32 {
        self.reference.loss_and_gradient(
            &self.x,
            &self.batches[index % BATCHES],
            &mut self.gradient,
        )
    }

    /// Computes a whole update: minibatch, gradient, momentum and signs. Returns whether there is an update.
    pub fn update(&mut self, index: usize) -> bool {
        let task = Task {
            id: TaskId(index as u64),
            version: VersionHash([0; 32]),
            minibatch_seed: seed(index),
            direction_seed: 1,
            coin_seed: 1,
            images: BATCH as u32,
            shards: 1,
            reset_momentum: false,
        };
        self.computer.compute(&task, &self.x, &self.data).is_some()
    }

    /// Returns a hash of the bits of the last gradient (FNV-1a).
    pub fn fingerprint(&self) -> u32 {
        self.gradient.iter().fold(0x811c_9dc5, |hash, g| {
            (hash ^ g.to_bits()).wrapping_mul(0x0100_0193)
        })
    }

    /// Returns the number of minibatches.
    pub fn batches(&self) -> usize {
        BATCHES
    }

    /// Returns the number of images in a minibatch.
    pub fn batch_size(&self) -> usize {
        BATCH
    }

    /// Returns a copy of the gradient of the last step, `[d]`.
    pub fn gradient(&self) -> Vec<f32> {
        self.gradient.clone()
    }

    /// Returns a copy of the parameters, `[d]`.
    pub fn parameters(&self) -> Vec<f32> {
        self.x.clone()
    }

    /// Returns the dense images of a minibatch, `[BATCH, 784]`.
    pub fn images(&self, index: usize) -> Vec<f32> {
        let mut dense = vec![0.0; BATCH * WIDTHS[0]];
        for (row, dense) in dense.chunks_exact_mut(WIDTHS[0]).enumerate() {
            let (columns, values) = self.batches[index % BATCHES].inputs.row(row);
            columns
                .iter()
                .zip(values)
                .for_each(|(&column, &value)| dense[column as usize] = value);
        }
        dense
    }

    /// Returns the labels of a minibatch, `[BATCH]`.
    pub fn labels(&self, index: usize) -> Vec<u8> {
        self.batches[index % BATCHES].labels.clone()
    }
}
