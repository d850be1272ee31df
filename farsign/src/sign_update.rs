//! The computation of an update, by volunteers and by the server's verification.
//!
//! ```text
//!   task, x_v  ->  minibatch xi  ->  estimate g  ->  momentum y  ->  signs s
//! ```
//!
//! An update is a pure function of its task, the task's version and the tasks since the last momentum reset, and every
//! target computes the same bits. Updates can therefore be verified.

use crate::dataset::{DatasetView, DrawnImages};
use crate::direction::Directions;
use crate::estimate::{Order, zeroth_order};
use crate::kernels::sparse::Kernel;
use crate::minibatch::{self, Minibatch};
use crate::momentum::Momentum;
use crate::sign::SignBits;
use crate::task::{RunSettings, Task};

/// Images of which a gradient is computed at once. The buffers of larger tasks would fill the memory of a browser's tab.
const PART_IMAGES: usize = 1024;

/// A computer of the updates of one session, in task order. Its buffers are allocated once.
#[derive(Debug)]
pub struct UpdateComputer {
    settings: RunSettings,
    kernel: Kernel,
    directions: Directions,
    momentum: Momentum,
    /// The images of the current part; in zeroth order, all so far.
    batch: Minibatch,
    /// First order: sum of the losses of the images so far; `None` before the first.
    loss_sum: Option<f32>,
    /// The estimate: a gradient, `[d]`, or `[K]` in zeroth order.
    estimate: Vec<f32>,
    /// First order: projections of the momentum, `[K]`.
    projections: Vec<f32>,
    /// Zeroth order: shifted parameters, `[d]`.
    shifted: Vec<f32>,
    signs: SignBits,
}

impl UpdateComputer {
    /// Creates a computer for a run's settings.
    pub fn new(settings: RunSettings) -> Self {
        let count = settings.directions.count();
        let d = settings.directions.parameters();
        let estimates = if settings.order == Order::First {
            d
        } else {
            count
        };
        Self {
            kernel: Kernel::new(&settings.architecture),
            directions: Directions::new(settings.directions, 0),
            momentum: Momentum::default(),
            batch: Minibatch::default(),
            loss_sum: None,
            estimate: vec![0.0; estimates],
            projections: vec![0.0; count],
            shifted: Vec::new(),
            signs: SignBits::default(),
            settings,
        }
    }

    /// Returns the run's settings.
    pub fn settings(&self) -> &RunSettings {
        &self.settings
    }

    /// Computes the update of a task, `[K]`, at the parameters `x`, `[d]`, of its version, on images drawn from `data`.
    ///
    /// `None` if the estimate is not finite: no honest update exists then.
    pub fn compute<'a>(
        &mut self,
        task: &Task,
        x: &[f32],
        data: impl Into<DatasetView<'a>>,
    ) -> Option<&SignBits> {
        let data = data.into();
        let images = task.images as usize;
        let mut drawn = minibatch::indices(task.minibatch_seed, data.len(), images);
        self.begin();
        while drawn.len() > 0 {
            self.begin_part();
            self.batch.extend(data, drawn.by_ref().take(PART_IMAGES));
            self.add_part(task, x);
        }
        self.finish(task, x)
    }

    /// Begins an update whose images were drawn elsewhere. An update that is not finished is dropped.
    pub fn begin(&mut self) {
        self.loss_sum = None;
        self.batch.clear();
    }

    /// Adds the next images that the task draws, at the parameters `x`, `[d]`. Parts of any size lead to the same bits.
    pub fn add_images(&mut self, task: &Task, x: &[f32], images: DrawnImages<'_>) {
        self.begin_part();
        self.batch.extend_with(images);
        self.add_part(task, x);
    }

    /// Returns the update, `[K]`, after all images of its task.
    ///
    /// `None` if the estimate is not finite: no honest update exists then.
    pub fn finish(&mut self, task: &Task, x: &[f32]) -> Option<&SignBits> {
        self.directions.reseed(task.direction_seed);
        if task.reset_momentum {
            self.momentum.reset();
        }
        if !self.finish_estimate(task, x) {
            return None;
        }
        let momentum = self.momentum.update(&self.estimate, self.settings.beta);
        if self.settings.order == Order::First {
            self.directions.project(momentum, &mut self.projections);
            self.signs.copy_from(&self.projections, task.coin_seed);
        } else {
            self.signs.copy_from(momentum, task.coin_seed);
        }
        Some(&self.signs)
    }

    /// Returns the momentum, whose signs are the last update. It is not sent.
    pub fn momentum(&self) -> &Momentum {
        &self.momentum
    }

    /// Swaps the momentum with `momentum`, so that one computer can serve many workers.
    pub fn swap_momentum(&mut self, momentum: &mut Momentum) {
        std::mem::swap(&mut self.momentum, momentum);
    }

    /// Drops the images of the last part, whose gradient is added. Losses need all images at once.
    fn begin_part(&mut self) {
        if self.settings.order == Order::First {
            self.batch.clear();
        }
    }

    /// Adds the gradient of the images of a part.
    fn add_part(&mut self, task: &Task, x: &[f32]) {
        if self.settings.order == Order::First {
            let images = task.images as usize;
            let sum = &mut self.loss_sum;
            self.kernel
                .add_part(x, &self.batch, images, sum, &mut self.estimate);
        }
    }

    /// Completes the estimate on the images that were added, and returns whether all of it is finite.
    fn finish_estimate(&mut self, task: &Task, x: &[f32]) -> bool {
        let finite = match self.settings.order {
            // An infinite loss can have a finite gradient.
            Order::First => self
                .loss_sum
                .is_some_and(|sum| (sum * (1.0 / task.images as f32)).is_finite()),
            Order::Zeroth { delta } => {
                let kernel = &mut self.kernel;
                let batch = &self.batch;
                let g = &mut self.estimate;
                let loss = |x: &[f32]| kernel.loss(x, batch);
                zeroth_order(loss, x, &self.directions, delta, &mut self.shifted, g);
                true // a loss that is not finite leads to an estimate that is not
            }
        };
        // Without an early exit, which would prevent vectorisation.
        finite
            && self
                .estimate
                .iter()
                .fold(true, |all, g| all & g.is_finite())
    }
}
