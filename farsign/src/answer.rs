//! What a volunteer computes for a task, and what the server computes again to check it.
//!
//! ```text
//!   task, x_v  ->  minibatch xi  ->  estimate g  ->  average y  ->  signs s
//! ```
//!
//! An answer is a function of its task, the snapshot the task names and the tasks since the tracker was last reset;
//! nothing else goes into it, and every target computes the same bits. That is why an answer can be checked.

use crate::dataset::Dataset;
use crate::direction::Directions;
use crate::estimate::{Order, zeroth_order};
use crate::kernels::sparse::Kernel;
use crate::minibatch::Minibatch;
use crate::sign::SignBits;
use crate::step::Step;
use crate::task::{RunSettings, Task};
use crate::tracker::Tracker;

/// Answers tasks of one session, in the order they were given. Its buffers are made once.
#[derive(Debug)]
pub struct Answerer {
    settings: RunSettings,
    kernel: Kernel,
    directions: Directions,
    tracker: Tracker,
    batch: Minibatch,
    /// The estimate: a gradient, `[d]`, or `[K]` in zeroth order.
    estimate: Vec<f32>,
    /// Projections of the tracker, `[K]`, in first order.
    projections: Vec<f32>,
    /// Shifted parameters, `[d]`, in zeroth order.
    shifted: Vec<f32>,
    signs: SignBits,
}

impl Answerer {
    /// For a run's settings.
    pub fn new(settings: RunSettings) -> Self {
        let (count, d) = (settings.directions.count(), settings.directions.parameters());
        let estimates = if settings.order == Order::First { d } else { count };
        Self {
            kernel: Kernel::new(&settings.architecture),
            directions: Directions::new(settings.directions, 0),
            tracker: Tracker::default(),
            batch: Minibatch::default(),
            estimate: vec![0.0; estimates],
            projections: vec![0.0; count],
            shifted: Vec::new(),
            signs: SignBits::default(),
            settings,
        }
    }

    /// The run's settings.
    pub fn settings(&self) -> &RunSettings {
        &self.settings
    }

    /// Answers a task at the parameters `x`, `[d]`, of its snapshot. None when the estimate is not finite: there is no
    /// honest answer then.
    pub fn answer(&mut self, task: &Task, x: &[f32], data: &Dataset) -> Option<&SignBits> {
        self.batch.draw(data, task.minibatch_seed, self.settings.batch as usize);
        self.directions.reseed(task.direction_seed);
        if task.reset_tracker {
            self.tracker.reset();
        }
        if !self.estimate(x) {
            return None;
        }
        let tracked = self.tracker.update(&self.estimate, self.settings.beta);
        if self.settings.order == Order::First {
            self.directions.project(tracked, &mut self.projections);
            self.signs.set_from(&self.projections, task.coin_seed);
        } else {
            self.signs.set_from(tracked, task.coin_seed);
        }
        Some(&self.signs)
    }

    /// The running average that the last answer has the signs of. It is not sent; it is what somebody would know who saw
    /// more than the signs.
    pub fn tracker(&self) -> &Tracker {
        &self.tracker
    }

    /// Takes up another volunteer's tracker and gives back the one at hand, so that one answerer plays many volunteers.
    pub fn exchange_tracker(&mut self, tracker: &mut Tracker) {
        std::mem::swap(&mut self.tracker, tracker);
    }

    /// Takes a step of the run on `x`, `[d]`.
    pub fn take_step(&mut self, step: &Step, x: &mut [f32]) {
        step.take(&mut self.directions, x);
    }

    /// Fills the estimate; whether all of it is finite.
    fn estimate(&mut self, x: &[f32]) -> bool {
        let finite = match self.settings.order {
            // An infinite loss can have a finite gradient.
            Order::First => self.kernel.loss_and_gradient(x, &self.batch, &mut self.estimate).is_finite(),
            Order::Zeroth { delta } => {
                let (kernel, batch, g) = (&mut self.kernel, &self.batch, &mut self.estimate);
                let loss = |x: &[f32]| kernel.loss(x, batch);
                zeroth_order(loss, x, &self.directions, delta, &mut self.shifted, g);
                true // a loss that is not finite makes a difference that is not
            }
        };
        // Without leaving early: a processor then looks at many at once.
        finite && self.estimate.iter().fold(true, |all, g| all & g.is_finite())
    }
}
