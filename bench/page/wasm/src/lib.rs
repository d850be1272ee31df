//! One gradient step in every form that is ours, natively and in a browser's worker: the same code, the same batches.
//!
//! The model, the parameters and the minibatches are those of a volunteer's first tasks on the given digits.

use std::sync::Arc;

use farsign::answer::Answerer;
use farsign::dataset::{Dataset, DatasetError, IdxFile, IdxPair};
use farsign::direction::{DirectionFamily, DirectionSpec};
use farsign::estimate::Order;
use farsign::kernels::reference::Reference;
use farsign::kernels::sparse::Kernel;
use farsign::minibatch::Minibatch;
use farsign::model::Architecture;
use farsign::task::{RunSettings, Task, TaskId};
use wasm_bindgen::prelude::*;

/// Images in a minibatch.
pub const BATCH: usize = 128;
/// Minibatches that the steps go through again and again.
pub const BATCHES: usize = 8;
/// Widths of the model's layers.
const WIDTHS: [usize; 3] = [784, 128, 10];

/// Everything a step needs, and the gradient of the last one.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Steps {
    data: Arc<Dataset>,
    batches: Vec<Minibatch>,
    x: Vec<f32>,
    gradient: Vec<f32>,
    kernel: Kernel,
    reference: Reference,
    answerer: Answerer,
}

impl Steps {
    /// For training digits in MNIST's format, gzipped or not.
    ///
    /// # Errors
    /// When they are not digits of MNIST's size.
    pub fn of(images: &[u8], labels: &[u8]) -> Result<Self, DatasetError> {
        let images = IdxFile { name: "images", bytes: images };
        let labels = IdxFile { name: "labels", bytes: labels };
        let data = Arc::new(Dataset::training(IdxPair { images, labels })?);
        let architecture = Architecture::new(WIDTHS.to_vec()).expect("a valid architecture");
        let d = architecture.parameters();
        let settings = RunSettings {
            run_id: 1,
            order: Order::First,
            directions: DirectionSpec::new(DirectionFamily::Coordinate, d, d).expect("valid directions"),
            batch: BATCH as u32,
            beta: 0.3,
            task_expiry_ms: 60_000,
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
            answerer: Answerer::new(settings),
            data,
        })
    }

    /// The gradient of the last step, `[d]`.
    pub fn last_gradient(&self) -> &[f32] {
        &self.gradient
    }
}

fn seed(index: usize) -> u64 {
    1 + (index % BATCHES) as u64
}

#[wasm_bindgen]
impl Steps {
    /// [`Steps::of`], for JavaScript.
    ///
    /// # Errors
    /// As there, as a message.
    #[wasm_bindgen(constructor)]
    pub fn from_js(images: &[u8], labels: &[u8]) -> Result<Self, JsError> {
        Ok(Self::of(images, labels)?)
    }

    /// A step with the kernel that the product runs, on the minibatch `index` modulo [`BATCHES`]; gives the loss.
    pub fn sparse(&mut self, index: usize) -> f32 {
        self.kernel.loss_and_gradient(&self.x, &self.batches[index % BATCHES], &mut self.gradient)
    }

    /// The same with ndarray.
    pub fn ndarray(&mut self, index: usize) -> f32 {
        self.reference.loss_and_gradient(&self.x, &self.batches[index % BATCHES], &mut self.gradient)
    }

    /// All that a volunteer computes for a task: minibatch, gradient, average, signs. Whether there is an answer.
    pub fn answer(&mut self, index: usize) -> bool {
        let task = Task {
            id: TaskId(index as u64),
            snapshot_version: 0,
            minibatch_seed: seed(index),
            direction_seed: 1,
            coin_seed: 1,
            reset_tracker: false,
        };
        self.answerer.answer(&task, &self.x, &self.data).is_some()
    }

    /// A number that two gradients share when they have the same bits, and else all but surely not (FNV-1a).
    pub fn fingerprint(&self) -> u32 {
        self.gradient.iter().fold(0x811c_9dc5, |hash, g| (hash ^ g.to_bits()).wrapping_mul(0x0100_0193))
    }

    /// Number of different minibatches.
    pub fn batches(&self) -> usize {
        BATCHES
    }

    /// Images in a minibatch.
    pub fn batch_size(&self) -> usize {
        BATCH
    }

    /// A copy of the gradient of the last step, `[d]`.
    pub fn gradient(&self) -> Vec<f32> {
        self.gradient.clone()
    }

    /// A copy of the parameters, `[d]`.
    pub fn parameters(&self) -> Vec<f32> {
        self.x.clone()
    }

    /// A minibatch's images with their zeros, `[BATCH, 784]`.
    pub fn images(&self, index: usize) -> Vec<f32> {
        let mut dense = vec![0.0; BATCH * WIDTHS[0]];
        for (row, dense) in dense.chunks_exact_mut(WIDTHS[0]).enumerate() {
            let (columns, values) = self.batches[index % BATCHES].inputs.row(row);
            columns.iter().zip(values).for_each(|(&column, &value)| dense[column as usize] = value);
        }
        dense
    }

    /// A minibatch's labels, `[BATCH]`.
    pub fn labels(&self, index: usize) -> Vec<u8> {
        self.batches[index % BATCHES].labels.clone()
    }
}
