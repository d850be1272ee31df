//! Computes the updates of honest and Byzantine workers.
//!
//! Honest updates come from the product's [`UpdateComputer`]: one set of buffers serves all workers, each of which has its
//! own momentum.

use std::sync::Arc;

use farsign::dataset::Dataset;
use farsign::direction::Directions;
use farsign::estimate::Order;
use farsign::kernels::sparse::Kernel;
use farsign::minibatch::Minibatch;
use farsign::momentum::Momentum;
use farsign::sign::SignBits;
use farsign::sign_update::UpdateComputer;
use farsign::task::{RunSettings, Task};
use farsign_attacks::{Attack, AttackOutput, ByzantineWorker, ObservedUpdates};

use crate::data::DataPartition;
use crate::engine::fleet::{WorkerProfile, WorkerTiming};

/// A worker during a run.
#[derive(Debug)]
pub struct Worker {
    /// Task times and absences.
    pub timing: WorkerTiming,
    /// The attacker's state; `None` for an honest worker.
    pub attacker: Option<ByzantineWorker>,
    /// The latest update.
    pub update: WorkerUpdate,
    data: Arc<Dataset>,
    momentum: Momentum,
}

/// An update in flight.
#[derive(Clone, Debug, Default)]
pub struct WorkerUpdate {
    /// The signs.
    pub signs: SignBits,
    /// The numbers behind the signs: `[d]`, or `[K]` in zeroth order.
    pub vector: Vec<f32>,
}

impl Worker {
    /// Creates the worker of a profile, with its shard of the data.
    pub fn new(
        index: usize,
        WorkerProfile { timing, attacker }: WorkerProfile,
        partition: &DataPartition<'_>,
    ) -> Self {
        let poisoned = attacker
            .as_ref()
            .is_some_and(|attacker| attacker.kind() == Attack::LabelFlip);
        let data = if poisoned {
            partition.poisoned_shard(index)
        } else {
            partition.shard(index)
        };
        Self {
            timing,
            attacker,
            update: WorkerUpdate::default(),
            data,
            momentum: Momentum::default(),
        }
    }

    /// Returns whether the worker is an attacker, including one that is still honest.
    pub fn is_byzantine(&self) -> bool {
        self.attacker.is_some()
    }
}

/// Computes updates, with buffers that all workers share.
#[derive(Debug)]
pub struct WorkerPool {
    computer: UpdateComputer,
    kernel: Kernel,
    batch: Minibatch,
    directions: Directions,
    /// Honest updates, for omniscient attackers.
    observed: ObservedUpdates,
    is_observed: bool,
    /// An honest update as a vector, `[d]`.
    honest: Vec<f32>,
    projections: Vec<f32>,
}

impl WorkerPool {
    /// Creates a pool for a run's settings and attack.
    pub fn new(settings: &RunSettings, attack: Option<Attack>) -> Self {
        Self {
            computer: UpdateComputer::new(settings.clone()),
            kernel: Kernel::new(&settings.architecture),
            batch: Minibatch::default(),
            directions: Directions::new(settings.directions, 0),
            observed: ObservedUpdates::default(),
            is_observed: attack.is_some_and(|attack| attack.is_omniscient()),
            honest: Vec::new(),
            projections: vec![0.0; settings.directions.count()],
        }
    }

    /// Returns the number of images of the smallest task.
    pub fn batch(&self) -> u32 {
        self.computer.settings().batch
    }

    /// Computes the update of a worker for a task at `x`, `[d]`.
    ///
    /// Returns whether the estimate is finite; otherwise the worker sends nothing.
    pub fn compute_update(
        &mut self,
        index: usize,
        worker: &mut Worker,
        task: &Task,
        x: &[f32],
    ) -> bool {
        let idle = worker
            .attacker
            .as_ref()
            .is_some_and(|attacker| !attacker.kind().needs_own_work());
        if idle && !self.observed.first().is_empty() {
            self.honest.clear();
        } else {
            if !self.compute_honest_update(worker, task, x) {
                return false;
            }
            if !(worker.is_byzantine() || self.is_observed) {
                return true;
            }
            self.reconstruct(&worker.update.vector, task);
        }
        match &mut worker.attacker {
            None => self.observed.observe(index, &self.honest),
            Some(attacker) => {
                let order = self.computer.settings().order;
                if attacker.kind() == Attack::ZerothOrder {
                    self.honest.resize(x.len(), 0.0);
                    self.batch
                        .draw(&worker.data, task.minibatch_seed, task.images as usize);
                    self.kernel
                        .loss_and_gradient(x, &self.batch, &mut self.honest);
                }
                if let AttackOutput::Vector(vector) =
                    attacker.attack(&self.honest, &mut self.observed)
                {
                    self.directions.reseed(task.direction_seed);
                    self.directions.project(vector, &mut self.projections);
                    worker
                        .update
                        .signs
                        .copy_from(&self.projections, task.coin_seed);
                    let sent = if order == Order::First {
                        vector
                    } else {
                        &self.projections
                    };
                    worker.update.vector.clear();
                    worker.update.vector.extend_from_slice(sent);
                }
            }
        }
        true
    }

    fn compute_honest_update(&mut self, worker: &mut Worker, task: &Task, x: &[f32]) -> bool {
        self.computer.swap_momentum(&mut worker.momentum);
        let computed = self.computer.compute(task, x, &worker.data);
        let finite = computed.is_some();
        if let Some(signs) = computed {
            worker.update.signs.clone_from(signs);
            worker.update.vector.clear();
            worker
                .update
                .vector
                .extend_from_slice(self.computer.momentum().average());
        }
        self.computer.swap_momentum(&mut worker.momentum);
        finite
    }

    /// Reconstructs an honest update as a vector, `[d]`: in zeroth order `A' y`.
    fn reconstruct(&mut self, sent: &[f32], task: &Task) {
        self.honest.clear();
        if self.computer.settings().order == Order::First {
            self.honest.extend_from_slice(sent);
        } else {
            self.directions.reseed(task.direction_seed);
            self.honest.resize(self.directions.spec().parameters(), 0.0);
            for (k, y) in sent.iter().enumerate() {
                self.directions.add_row(k, *y, &mut self.honest);
            }
        }
    }
}
