//! A server that records its tolerance estimate and the ground truth at checkpoints.

use std::borrow::Cow;
use std::sync::Arc;

use farsign::kernels::sparse::Kernel;
use farsign::minibatch::Minibatch;
use farsign::optimizer::Rule;
use farsign::task::{RunSettings, Task, VolunteerId};
use farsign::tolerance::{AgreementEstimator, Tolerance};

use crate::data::ExperimentData;
use crate::metrics::VerificationStats;
use crate::servers::{ReceivedUpdate, SimServer, UpdateOutcome};
use crate::studies::tolerance::ground_truth::{ErrorAccumulator, SignErrors};

/// Updates before a checkpoint that are compared with the ground truth: about the window of the estimate.
const WINDOW: u64 = 128;

/// Distance of compared updates, as each needs a gradient over all data.
const SAMPLE_STRIDE: u64 = 4;

/// Estimate and ground truth at a checkpoint.
#[derive(Clone, Copy, Debug)]
pub struct Checkpoint {
    /// Updates of the server.
    pub updates: u64,
    /// The estimate; `None` before the first.
    pub tolerance: Option<Tolerance>,
    /// True sign errors.
    pub errors: SignErrors,
}

/// A wrapper of a server that records checkpoints.
pub struct InstrumentedServer {
    server: Box<dyn SimServer>,
    byzantine: Vec<bool>,
    agreement: AgreementEstimator,
    interval: u64,
    kernel: Kernel,
    all: Minibatch,
    gradient: Vec<f32>,
    accumulator: ErrorAccumulator,
    checkpoints: Vec<Checkpoint>,
}

impl InstrumentedServer {
    /// Wraps a server, with a checkpoint every `interval` updates.
    pub fn new(
        server: Box<dyn SimServer>,
        byzantine: &[bool],
        data: &ExperimentData,
        interval: u64,
    ) -> Self {
        let settings = server.settings();
        let d = data.architecture.parameters();
        let mut all = Minibatch::default();
        all.slice(&data.train, 0..data.train.len());
        Self {
            agreement: AgreementEstimator::new(settings.directions, settings.order, Rule::Plain),
            byzantine: byzantine.to_vec(),
            interval,
            kernel: Kernel::new(&data.architecture),
            all,
            gradient: vec![0.0; d],
            accumulator: ErrorAccumulator::new(d),
            checkpoints: Vec::new(),
            server,
        }
    }

    /// Returns the checkpoints.
    pub fn into_checkpoints(self) -> Vec<Checkpoint> {
        self.checkpoints
    }

    /// Compares a sampled honest update with the gradient at the parameters that it is about to change.
    fn compare(&mut self, worker: usize, update: &ReceivedUpdate<'_>) {
        let left = self.interval - self.server.updates() % self.interval;
        if self.byzantine[worker] || left > WINDOW || !left.is_multiple_of(SAMPLE_STRIDE) {
            return;
        }
        self.kernel
            .loss_and_gradient(&self.server.parameters(), &self.all, &mut self.gradient);
        self.accumulator.push(update.signs, &self.gradient);
    }

    fn record_checkpoint(&mut self) {
        let d = self.gradient.len();
        let accumulated = std::mem::replace(&mut self.accumulator, ErrorAccumulator::new(d));
        if let Some(errors) = accumulated.errors() {
            let updates = self.server.updates();
            let tolerance = self.agreement.tolerance();
            self.checkpoints.push(Checkpoint {
                updates,
                tolerance,
                errors,
            });
        }
    }
}

impl SimServer for InstrumentedServer {
    fn settings(&self) -> &RunSettings {
        self.server.settings()
    }

    fn join(&mut self, worker: usize, known: bool) {
        self.server.join(worker, known);
    }

    fn leave(&mut self, worker: usize) {
        self.server.leave(worker);
    }

    fn next_task(&mut self, worker: usize, images: u32) -> (Task, Arc<[f32]>) {
        self.server.next_task(worker, images)
    }

    fn receive(&mut self, worker: usize, update: ReceivedUpdate<'_>) -> UpdateOutcome {
        self.compare(worker, &update);
        let before = self.server.updates();
        let computed_at = before - update.staleness;
        let outcome = self.server.receive(worker, update);
        let after = self.server.updates();
        if after > before {
            self.agreement
                .observe(VolunteerId(worker as u64), after, computed_at, update.signs);
            if after.is_multiple_of(self.interval) {
                self.record_checkpoint();
            }
        }
        outcome
    }

    fn parameters(&self) -> Cow<'_, [f32]> {
        self.server.parameters()
    }

    fn updates(&self) -> u64 {
        self.server.updates()
    }

    fn snapshot_updates(&self) -> u64 {
        self.server.snapshot_updates()
    }

    fn is_finished(&self) -> bool {
        self.server.is_finished()
    }

    fn weights(&self) -> Option<(f64, f64)> {
        self.server.weights()
    }

    fn verification(&self) -> VerificationStats {
        self.server.verification()
    }
}
