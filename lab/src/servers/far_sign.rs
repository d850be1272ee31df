//! FAR-SIGN's server: the training server of the product, inside a simulated network.
//!
//! Two rules exist in the simulator only: `audited` weighs updates by a gradient of the server's own, and
//! `server-momentum` keeps the workers' momenta at the server.

use std::borrow::Cow;
use std::sync::Arc;

use farsign::assignment::{AssignmentOptions, ResetInterval, updates_between_snapshots};
use farsign::direction::{DirectionError, DirectionSpec};
use farsign::estimate;
use farsign::fixed_point::RangeError;
use farsign::identity::VolunteerIdentity;
use farsign::keys::RunKeys;
use farsign::learner::{HORIZON, LearnerEvent, VerificationOutcome};
use farsign::optimizer::{self, FarSign, FarSignOptions};
use farsign::schedule::{Decay, StepSize};
use farsign::sign::SignBits;
use farsign::task::{RunSettings, Task, TaskSize, VolunteerId};
use farsign::training_server::{TrainingOptions, TrainingServer};
use farsign::verification::Recomputer;

use crate::data::ExperimentData;
use crate::metrics::VerificationStats;
use crate::rng::{RngStream, SimRng};
use crate::scenario::{FarSignMethod, FarSignRule, OrderConfig, TaskParameters};
use crate::servers::audit::{Audit, AuditOptions};
use crate::servers::differences::DifferencesMeter;
use crate::servers::server_momentum::ServerMomentum;
use crate::servers::{InjectedFault, ReceivedUpdate, SimServer, UpdateOutcome};

/// The server-side state of a worker.
#[derive(Clone, Copy, Debug)]
struct WorkerSlot {
    /// The worker's session. `None` while it is away.
    volunteer: Option<VolunteerId>,
    /// How often the worker has changed its identity.
    generation: u64,
    is_attacker: bool,
}

/// Verification, inline with each update.
struct Verification {
    recomputer: Recomputer,
    stats: VerificationStats,
}

/// FAR-SIGN's server in the simulator.
pub struct FarSignServer {
    settings: RunSettings,
    training: TrainingServer,
    workers: Vec<WorkerSlot>,
    verification: Option<Verification>,
    audit: Option<Audit>,
    server_momentum: Option<ServerMomentum>,
    /// The exact parameters that the newest version was rounded from, `[d]`. `None` if workers compute on the version.
    exact: Option<Arc<[f32]>>,
    /// `None` if the differences between versions are not measured.
    differences: Option<DifferencesMeter>,
    /// Accepted updates at which the next snapshot is due.
    snapshot_due_at: u64,
    /// Weight of the attackers' updates, and of all.
    weights: (f64, f64),
    rng: SimRng,
}

/// A method that does not fit the model.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum MethodError {
    /// Its directions do not.
    #[error(transparent)]
    Directions(#[from] DirectionError),
    /// Its steps do not.
    #[error(transparent)]
    Range(#[from] RangeError),
}

/// Parameters of a run.
#[derive(Clone, Copy, Debug)]
pub struct FarSignRun<'a> {
    /// Method.
    pub method: &'a FarSignMethod,
    /// Images in a minibatch.
    pub batch: u32,
    /// Initial step size.
    pub learning_rate: f64,
    /// Limit of received updates.
    pub updates: u64,
    /// Number of workers.
    pub workers: usize,
    /// Whether each worker is an attacker; for statistics only.
    pub attackers: &'a [bool],
    /// Seed.
    pub seed: u64,
    /// Whether to measure the coded differences between versions.
    pub measure_differences: bool,
    /// Fault to inject.
    pub fault: Option<InjectedFault>,
}

impl FarSignServer {
    /// Creates a server without workers.
    ///
    /// # Errors
    /// Returns an error if the method's directions or steps do not fit the model.
    pub fn new(run: FarSignRun<'_>, data: &ExperimentData) -> Result<Self, MethodError> {
        let FarSignRun {
            method,
            batch,
            learning_rate,
            updates,
            workers,
            attackers,
            seed,
            measure_differences,
            fault,
        } = run;
        let mut rng = SimRng::new(seed, RngStream::Server, 0);
        let directions = method.direction_spec(data.architecture.parameters())?;
        let direction_seed = rng.next_u64();
        let rule = match method.rule {
            FarSignRule::Vote { gamma, .. } => optimizer::Rule::Vote {
                gamma,
                direction_seed,
            },
            _ => optimizer::Rule::Plain,
        };
        let keeps_momentum = method.rule == FarSignRule::ServerMomentum;
        let settings = settings(method, data, batch, directions);
        let x = data
            .architecture
            .initial_parameters(SimRng::new(seed, RngStream::Parameters, 0).next_u64());
        let horizon = method.horizon * updates as f64;
        let step_size = StepSize {
            initial: learning_rate,
            decay: Decay::Cosine { horizon },
        };
        let options = FarSignOptions::new(&x, directions, step_size, rule)?;
        let optimizer = FarSign::new(options);
        let verify_probability = match method.rule {
            FarSignRule::Verified { verify_probability } => Some(verify_probability),
            _ => None,
        };
        let options = TrainingOptions {
            assignment: assignment(method, settings.order, rule),
            keys: RunKeys {
                tasks: rng.key(),
                sampling: rng.key(),
            },
            verify_probability,
            direction_seed: (keeps_momentum && method.order == OrderConfig::First)
                .then_some(direction_seed),
            horizon: HORIZON,
            fault: fault.map(Into::into),
        };
        let slot = |&is_attacker| WorkerSlot {
            volunteer: None,
            generation: 0,
            is_attacker,
        };
        Ok(Self {
            workers: attackers.iter().map(slot).collect(),
            verification: verify_probability.map(|_| Verification {
                recomputer: Recomputer::new(settings.clone(), Arc::clone(&data.train), workers),
                stats: VerificationStats::default(),
            }),
            audit: audit(method.rule, data, directions, workers),
            server_momentum: keeps_momentum
                .then(|| ServerMomentum::new(method, directions, direction_seed, workers)),
            exact: (method.parameters == TaskParameters::Exact)
                .then(|| optimizer.parameters().into()),
            differences: measure_differences.then(|| DifferencesMeter::new(workers)),
            settings,
            training: TrainingServer::new(optimizer, options),
            snapshot_due_at: 0,
            weights: (0.0, 0.0),
            rng,
        })
    }

    /// Returns the factor of an update that the training server does not know: 1, or the weight of an audit.
    fn audit_weight(&mut self, worker: usize, task: &Task, signs: &SignBits) -> f32 {
        let Some(audit) = &mut self.audit else {
            return 1.0;
        };
        let rng = &mut self.rng;
        let issued = self.training.issued();
        let optimizer = self.training.optimizer();
        audit.refresh(issued, || optimizer.parameters(), || rng.next_u64());
        audit.weight(worker, task.direction_seed, signs)
    }

    fn apply(&mut self, worker: usize, task: &Task, signs: &SignBits) {
        let factor = self.audit_weight(worker, task, signs);
        let Some(volunteer) = self.workers[worker].volunteer else {
            return;
        };
        if factor <= 0.0 {
            // An audit gives it no weight: it is received and not applied.
            _ = self.training.discard_update(volunteer, task.id);
            return;
        }
        let bits = signs.as_bytes();
        let outcome = self
            .training
            .handle_update(volunteer, task.id, bits, factor);
        let Ok(accepted) = outcome.verdict else {
            return;
        };
        self.weights.1 += f64::from(accepted.weight);
        if self.workers[worker].is_attacker {
            self.weights.0 += f64::from(accepted.weight);
        }
        let optimizer = self.training.optimizer();
        if accepted.update >= self.snapshot_due_at {
            self.snapshot_due_at = accepted.update + updates_between_snapshots(optimizer.active());
            self.publish();
        }
    }

    fn publish(&mut self) {
        self.training.publish();
        if let Some(exact) = &mut self.exact {
            *exact = self.training.optimizer().parameters().into();
        }
    }

    /// Runs the queued verifications. Returns whether a worker was ejected.
    fn verify(&mut self) -> bool {
        if let Some(verification) = &mut self.verification {
            while let Some(job) = self.training.poll_verification() {
                let recomputed = verification.recomputer.verify(&job.segment);
                let recomputed = recomputed.expect("every version is kept");
                verification.stats.recomputed += recomputed.updates;
                let verdict = job.verified(recomputed.mismatch);
                match self.training.handle_verdict(verdict) {
                    VerificationOutcome::Passed => verification.stats.passed += 1,
                    VerificationOutcome::Failed => verification.stats.failed += 1,
                    VerificationOutcome::Skipped | VerificationOutcome::Ignored => {}
                }
            }
        }
        while self.training.poll_record().is_some() {}
        let mut ejected = false;
        while let Some(event) = self.training.poll_event() {
            ejected |= matches!(event, LearnerEvent::Ejected { .. });
        }
        ejected
    }
}

fn settings(
    method: &FarSignMethod,
    data: &ExperimentData,
    batch: u32,
    directions: DirectionSpec,
) -> RunSettings {
    RunSettings {
        run_id: 0,
        architecture: data.architecture.clone(),
        order: match method.order {
            OrderConfig::First => estimate::Order::First,
            OrderConfig::Zeroth { delta } => estimate::Order::Zeroth { delta },
        },
        directions,
        batch,
        // With momentum at the server, workers send each estimate unchanged.
        beta: if method.rule == FarSignRule::ServerMomentum {
            1.0
        } else {
            method.beta
        },
        task_timeout_ms: 0,
        train_digest: data.train.digest(),
    }
}

fn assignment(
    method: &FarSignMethod,
    order: estimate::Order,
    rule: optimizer::Rule,
) -> AssignmentOptions {
    AssignmentOptions {
        order,
        rule,
        minibatch_window: if let FarSignRule::Vote { window, .. } = method.rule {
            window
        } else {
            1
        },
        direction_reuse: method.direction_reuse,
        resets: matches!(method.rule, FarSignRule::Verified { .. })
            .then_some(ResetInterval::VERIFIED),
    }
}

fn audit(
    rule: FarSignRule,
    data: &ExperimentData,
    directions: DirectionSpec,
    workers: usize,
) -> Option<Audit> {
    let FarSignRule::Audited { every, batch } = rule else {
        return None;
    };
    let architecture = &data.architecture;
    let data = Arc::clone(&data.validation);
    Some(Audit::new(
        data,
        architecture,
        directions,
        AuditOptions {
            interval: every,
            batch_size: batch as usize,
            workers,
        },
    ))
}

impl SimServer for FarSignServer {
    fn settings(&self) -> &RunSettings {
        &self.settings
    }

    fn join(&mut self, worker: usize, known: bool) {
        let slot = &mut self.workers[worker];
        slot.generation += u64::from(!known);
        let identity =
            VolunteerIdentity::from((worker as u128) << 64 | u128::from(slot.generation));
        slot.volunteer = Some(self.training.join(Some(identity)));
        if let Some(server_momentum) = &mut self.server_momentum {
            server_momentum.reset(worker);
        }
        if let Some(audit) = &mut self.audit
            && !known
        {
            audit.reset(worker);
        }
    }

    fn leave(&mut self, worker: usize) {
        if let Some(volunteer) = self.workers[worker].volunteer.take() {
            self.training.leave(volunteer);
        }
    }

    fn next_task(&mut self, worker: usize, images: u32) -> (Task, Arc<[f32]>) {
        let volunteer = self.workers[worker]
            .volunteer
            .expect("a worker joins before its first task");
        let size = TaskSize { images, shards: 1 };
        let task = self.training.next_task(volunteer, size);
        let task = task.expect("a worker that has joined is connected");
        let version = self.training.version();
        if let Some(differences) = &mut self.differences {
            differences.on_task(worker, version);
        }
        let parameters = self.exact.as_ref();
        let parameters = parameters.unwrap_or_else(|| version.parameters());
        (task, Arc::clone(parameters))
    }

    fn receive(&mut self, worker: usize, update: ReceivedUpdate<'_>) -> UpdateOutcome {
        let ReceivedUpdate {
            task,
            signs,
            vector,
            ..
        } = update;
        if let Some(mut server_momentum) = self.server_momentum.take() {
            self.apply(worker, task, server_momentum.signs(worker, task, vector));
            self.server_momentum = Some(server_momentum);
        } else {
            self.apply(worker, task, signs);
        }
        if !self.verify() {
            return UpdateOutcome::Accepted;
        }
        self.workers[worker].volunteer = None;
        UpdateOutcome::Ejected
    }

    fn parameters(&self) -> Cow<'_, [f32]> {
        Cow::Owned(self.training.optimizer().parameters())
    }

    fn updates(&self) -> u64 {
        self.training.optimizer().accepted()
    }

    fn snapshot_updates(&self) -> u64 {
        self.training.version().accepted()
    }

    fn is_finished(&self) -> bool {
        self.training.optimizer().is_finished()
    }

    fn weights(&self) -> Option<(f64, f64)> {
        Some(self.weights)
    }

    fn verification(&self) -> VerificationStats {
        self.verification
            .as_ref()
            .map_or_else(VerificationStats::default, |verification| {
                verification.stats
            })
    }

    fn difference_bits(&self) -> Option<f64> {
        self.differences
            .as_ref()
            .and_then(DifferencesMeter::bits_per_parameter)
    }
}
