//! A server that is sent whole gradients.

use std::sync::Arc;

use farsign::direction::{DirectionFamily, DirectionSpec};
use farsign::estimate::Order;
use farsign::schedule::{Decay, StepSize};
use farsign::task::{RunSettings, Task, TaskId};

use super::published::Published;
use super::{Answer, Host, Outcome};
use crate::chance::{Chance, Part};
use crate::materials::Materials;
use crate::method::{Arrival, AsyncRule};

/// An asynchronous rule at work.
pub struct GradientHost {
    settings: RunSettings,
    rule: Box<dyn AsyncRule>,
    /// Falls from 1 to 0; what the rule does to the parameters is shortened by it.
    schedule: StepSize,
    x: Vec<f32>,
    before: Vec<f32>,
    received: u64,
    /// Messages that changed the parameters.
    updates: u64,
    issued: u64,
    published: Published,
    present: Vec<bool>,
    fresh: Vec<bool>,
    chance: Chance,
}

/// What a server that is sent gradients tells its workers.
pub fn gradient_settings(materials: &Materials, batch: u32, beta: f32) -> RunSettings {
    let d = materials.architecture.parameters();
    RunSettings {
        run_id: 0,
        architecture: materials.architecture.clone(),
        order: Order::First,
        directions: DirectionSpec::new(DirectionFamily::Coordinate, d, d).expect("there are d coordinates"),
        batch,
        beta,
        task_expiry_ms: 0,
        train_digest: materials.train.digest(),
    }
}

impl GradientHost {
    /// A server that goes by `rule` until it has received so many `messages`.
    pub fn new(
        settings: RunSettings,
        rule: Box<dyn AsyncRule>,
        messages: u64,
        workers: usize,
        seed: u64,
    ) -> Self {
        let x = settings.architecture.initial_parameters(Chance::new(seed, Part::Parameters, 0).bits());
        Self {
            settings,
            rule,
            schedule: StepSize { initial: 1.0, decay: Decay::Cosine { horizon: messages as f64 } },
            published: Published::new(&x),
            before: x.clone(),
            x,
            received: 0,
            updates: 0,
            issued: 0,
            present: vec![false; workers],
            fresh: vec![true; workers],
            chance: Chance::new(seed, Part::Host, 0),
        }
    }
}

impl Host for GradientHost {
    fn settings(&self) -> &RunSettings {
        &self.settings
    }

    fn join(&mut self, worker: usize, _known: bool) {
        (self.present[worker], self.fresh[worker]) = (true, true);
    }

    fn leave(&mut self, worker: usize) {
        self.present[worker] = false;
    }

    fn issue(&mut self, worker: usize) -> (Task, Arc<[f32]>) {
        self.issued += 1;
        let task = Task {
            id: TaskId(self.issued),
            snapshot_version: self.published.version,
            minibatch_seed: self.chance.bits(),
            direction_seed: 0,
            coin_seed: 0,
            reset_tracker: std::mem::take(&mut self.fresh[worker]),
        };
        (task, Arc::clone(&self.published.x))
    }

    fn receive(&mut self, worker: usize, answer: Answer<'_>) -> Outcome {
        let Answer { x_sent, staleness, vector: gradient, .. } = answer;
        self.before.copy_from_slice(&self.x);
        self.rule.receive(&Arrival { worker, gradient, x_sent, staleness }, &mut self.x);
        let factor = self.schedule.at(self.received as f64);
        self.x.iter_mut().zip(&self.before).for_each(|(x, before)| *x = before + factor * (*x - before));
        self.received += 1;
        self.updates += u64::from(self.x != self.before);
        let active = self.present.iter().filter(|present| **present).count();
        self.published.renew(&self.x, self.received, self.updates, active);
        Outcome::Taken
    }

    fn x(&self) -> &[f32] {
        &self.x
    }

    fn updates(&self) -> u64 {
        self.updates
    }

    fn published_updates(&self) -> u64 {
        self.published.updates
    }

    fn is_finished(&self) -> bool {
        false
    }

    fn weights(&self) -> Option<(f64, f64)> {
        None
    }
}
