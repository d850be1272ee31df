//! A server that receives whole gradients.

use std::borrow::Cow;
use std::sync::Arc;

use farsign::direction::{DirectionFamily, DirectionSpec};
use farsign::estimate::Order;
use farsign::schedule::{Decay, StepSize};
use farsign::task::{RunSettings, Task, TaskId};

use crate::aggregators::{AsyncAggregator, GradientUpdate};
use crate::data::ExperimentData;
use crate::rng::{RngStream, SimRng};
use crate::servers::snapshot::SnapshotSchedule;
use crate::servers::{ReceivedUpdate, SimServer, UNNAMED_VERSION, UpdateOutcome};

/// A server with an asynchronous rule.
pub struct GradientServer {
    settings: RunSettings,
    rule: Box<dyn AsyncAggregator>,
    /// Decays from 1 to 0, and scales the movement of the rule.
    schedule: StepSize,
    x: Vec<f32>,
    before: Vec<f32>,
    received: u64,
    /// Received updates that changed the parameters.
    updates: u64,
    issued: u64,
    snapshot: SnapshotSchedule,
    present: Vec<bool>,
    fresh: Vec<bool>,
    rng: SimRng,
}

/// Returns the settings that workers of a gradient server receive.
pub fn gradient_settings(data: &ExperimentData, batch: u32, beta: f32) -> RunSettings {
    let d = data.architecture.parameters();
    RunSettings {
        run_id: 0,
        architecture: data.architecture.clone(),
        order: Order::First,
        directions: DirectionSpec::new(DirectionFamily::Coordinate, d, d)
            .expect("there are d coordinates"),
        batch,
        beta,
        task_timeout_ms: 0,
        train_digest: data.train.digest(),
    }
}

impl GradientServer {
    /// Creates a server that applies `rule` until it has received `updates` updates.
    pub fn new(
        settings: RunSettings,
        rule: Box<dyn AsyncAggregator>,
        updates: u64,
        workers: usize,
        seed: u64,
    ) -> Self {
        let x = settings
            .architecture
            .initial_parameters(SimRng::new(seed, RngStream::Parameters, 0).next_u64());
        Self {
            settings,
            rule,
            schedule: StepSize {
                initial: 1.0,
                decay: Decay::Cosine {
                    horizon: updates as f64,
                },
            },
            snapshot: SnapshotSchedule::new(&x),
            before: x.clone(),
            x,
            received: 0,
            updates: 0,
            issued: 0,
            present: vec![false; workers],
            fresh: vec![true; workers],
            rng: SimRng::new(seed, RngStream::Server, 0),
        }
    }
}

impl SimServer for GradientServer {
    fn settings(&self) -> &RunSettings {
        &self.settings
    }

    fn join(&mut self, worker: usize, _known: bool) {
        self.present[worker] = true;
        self.fresh[worker] = true;
    }

    fn leave(&mut self, worker: usize) {
        self.present[worker] = false;
    }

    fn next_task(&mut self, worker: usize, images: u32) -> (Task, Arc<[f32]>) {
        self.issued += 1;
        let task = Task {
            id: TaskId(self.issued),
            version: UNNAMED_VERSION,
            minibatch_seed: self.rng.next_u64(),
            direction_seed: 0,
            coin_seed: 0,
            images,
            shards: 1,
            reset_momentum: std::mem::take(&mut self.fresh[worker]),
        };
        (task, Arc::clone(&self.snapshot.x))
    }

    fn receive(&mut self, worker: usize, update: ReceivedUpdate<'_>) -> UpdateOutcome {
        let ReceivedUpdate {
            x_sent,
            staleness,
            vector: gradient,
            ..
        } = update;
        self.before.copy_from_slice(&self.x);
        self.rule.receive(
            &GradientUpdate {
                worker,
                gradient,
                x_sent,
                staleness,
            },
            &mut self.x,
        );
        let factor = self.schedule.at(self.received as f64);
        self.x
            .iter_mut()
            .zip(&self.before)
            .for_each(|(x, before)| *x = before + factor * (*x - before));
        self.received += 1;
        self.updates += u64::from(self.x != self.before);
        let active = self.present.iter().filter(|present| **present).count();
        self.snapshot
            .maybe_publish(&self.x, self.received, self.updates, active);
        UpdateOutcome::Accepted
    }

    fn parameters(&self) -> Cow<'_, [f32]> {
        Cow::Borrowed(&self.x)
    }

    fn updates(&self) -> u64 {
        self.updates
    }

    fn snapshot_updates(&self) -> u64 {
        self.snapshot.updates
    }

    fn is_finished(&self) -> bool {
        false
    }

    fn weights(&self) -> Option<(f64, f64)> {
        None
    }
}
