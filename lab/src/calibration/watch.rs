//! A server that is watched: it does what it does, and every so often its readout is noted beside the truth.

use std::sync::Arc;

use farsign::dataset::Dataset;
use farsign::kernels::sparse::Kernel;
use farsign::minibatch::Minibatch;
use farsign::optimizer::Rule;
use farsign::safety::{Agreement, Safety};
use farsign::task::{RunSettings, Task, VolunteerId};

use super::truth::{Errors, Tally};
use crate::host::{Answer, CheckTally, Host, Outcome};
use crate::materials::Materials;

/// Messages before a checkpoint whose answers are compared with the truth: about as far as the readout looks back.
const LOOKED_BACK: u64 = 128;

/// Of these, every so many are, as each of them takes a gradient over all data.
const STRIDE: u64 = 4;

/// The server and what was noted.
pub struct Watch {
    host: Box<dyn Host>,
    liars: Vec<bool>,
    agreement: Agreement,
    every: u64,
    kernel: Kernel,
    all: Minibatch,
    gradient: Vec<f32>,
    tally: Tally,
    found: Vec<(u64, Option<Safety>, Errors)>,
}

impl Watch {
    /// Around a server, with a checkpoint every so many messages.
    pub fn new(host: Box<dyn Host>, liars: &[bool], materials: &Materials, every: u64) -> Self {
        let (settings, d) = (host.settings(), materials.architecture.parameters());
        let (data, mut all): (&Arc<Dataset>, _) = (&materials.train, Minibatch::default());
        all.slice(data, 0..data.len());
        Self {
            agreement: Agreement::new(settings.directions, settings.order, Rule::Plain),
            liars: liars.to_vec(),
            every,
            kernel: Kernel::new(&materials.architecture),
            all,
            gradient: vec![0.0; d],
            tally: Tally::new(d),
            found: Vec::new(),
            host,
        }
    }

    /// What was noted: messages, readout and truth.
    pub fn into_found(self) -> Vec<(u64, Option<Safety>, Errors)> {
        self.found
    }

    /// Compares an answer with the gradient at the parameters that it is about to move, if it is one to look at.
    fn compare(&mut self, worker: usize, answer: &Answer<'_>) {
        let left = self.every - self.host.updates() % self.every;
        if self.liars[worker] || left > LOOKED_BACK || !left.is_multiple_of(STRIDE) {
            return;
        }
        self.kernel.loss_and_gradient(self.host.x(), &self.all, &mut self.gradient);
        self.tally.take(answer.signs, &self.gradient);
    }

    fn note(&mut self) {
        let d = self.gradient.len();
        if let Some(errors) = std::mem::replace(&mut self.tally, Tally::new(d)).errors() {
            self.found.push((self.host.updates(), self.agreement.safety(), errors));
        }
    }
}

impl Host for Watch {
    fn settings(&self) -> &RunSettings {
        self.host.settings()
    }

    fn join(&mut self, worker: usize, known: bool) {
        self.host.join(worker, known);
    }

    fn leave(&mut self, worker: usize) {
        self.host.leave(worker);
    }

    fn issue(&mut self, worker: usize) -> (Task, Arc<[f32]>) {
        self.host.issue(worker)
    }

    fn receive(&mut self, worker: usize, answer: Answer<'_>) -> Outcome {
        self.compare(worker, &answer);
        let before = self.host.updates();
        let computed_at = before - answer.staleness;
        let outcome = self.host.receive(worker, answer);
        if self.host.updates() > before {
            let (volunteer, message) = (VolunteerId(worker as u64), self.host.updates());
            self.agreement.hear(volunteer, message, computed_at, answer.signs);
            if self.host.updates().is_multiple_of(self.every) {
                self.note();
            }
        }
        outcome
    }

    fn x(&self) -> &[f32] {
        self.host.x()
    }

    fn updates(&self) -> u64 {
        self.host.updates()
    }

    fn published_updates(&self) -> u64 {
        self.host.published_updates()
    }

    fn is_finished(&self) -> bool {
        self.host.is_finished()
    }

    fn weights(&self) -> Option<(f64, f64)> {
        self.host.weights()
    }

    fn checks(&self) -> CheckTally {
        self.host.checks()
    }
}
