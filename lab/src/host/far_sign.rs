//! FAR-SIGN's server, of the same parts as the product's.
//!
//! What is simulated is the network around it: optimizer, weights, assignment, trust, checks and what is taken back are
//! those of the `farsign` package.

use std::sync::Arc;

use farsign::assignment::{Assigner, Assignment, AssignmentOptions, ResetInterval, VolunteerAssignment};
use farsign::direction::{DirectionError, DirectionSpec, Directions};
use farsign::estimate;
use farsign::moves::UncheckedMoves;
use farsign::optimizer::{self, Contribution, FarSign, FarSignOptions};
use farsign::recomputation::{Chain, Picked, Recomputation, Segment, pick};
use farsign::schedule::{Decay, StepSize};
use farsign::sign::SignBits;
use farsign::step::Step;
use farsign::task::{RunSettings, Task, TaskId, VolunteerId};
use farsign::tracker::Tracker;
use farsign::trust::{Trust, TrustMean};
use serde::{Deserialize, Serialize};

use super::audit::Audit;
use super::published::Published;
use super::{Answer, CheckTally, Host, Outcome};
use crate::chance::{Chance, Part};
use crate::materials::Materials;
use crate::scenario::{FarSignMethod, Order, Rule};

/// A mistake in the server, to see that results which should show it do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Signs are turned round before they are applied.
    SignsTurned,
    /// Every message weighs one.
    WeightsIgnored,
    /// No check finds anything.
    ChecksBlind,
}

/// What is known of a worker.
#[derive(Debug, Default)]
struct Member {
    volunteer: Option<VolunteerId>,
    assignment: VolunteerAssignment,
    trust: Trust,
    chain: Chain,
    moves: UncheckedMoves,
    /// `server-tracked`: its running average.
    tracker: Tracker,
    lies: bool,
}

/// `verified`: how answers are checked.
struct Checks {
    share: f64,
    recomputation: Recomputation,
    mean: TrustMean,
    tally: CheckTally,
}

/// `server-tracked`: what makes signs of averages at the server.
struct Tracking {
    beta: f32,
    order: Order,
    directions: Directions,
    y: Vec<f32>,
    signs: SignBits,
}

/// The server.
pub struct FarSignHost {
    settings: RunSettings,
    optimizer: FarSign,
    assigner: Assigner,
    members: Vec<Member>,
    checks: Option<Checks>,
    audit: Option<Audit>,
    tracking: Option<Tracking>,
    published: Published,
    joined: u64,
    issued: u64,
    /// Directions that all tasks share, where they do.
    fixed_directions: Option<u64>,
    weights: (f64, f64),
    chance: Chance,
    fault: Option<Fault>,
}

/// What a run of it is made of.
#[derive(Clone, Copy, Debug)]
pub struct FarSignRun<'a> {
    /// The method.
    pub method: &'a FarSignMethod,
    /// Images in a minibatch.
    pub batch: u32,
    /// Step size at the start.
    pub rate: f64,
    /// Messages that it receives at most.
    pub messages: u64,
    /// Places for workers.
    pub workers: usize,
    /// Which of them lie, for the statistics only.
    pub liars: &'a [bool],
    /// Seed of the run.
    pub seed: u64,
    /// A mistake to make.
    pub fault: Option<Fault>,
}

/// Directions of a task of this method.
///
/// # Errors
/// When its family cannot give them.
pub fn directions_of(method: &FarSignMethod, parameters: usize) -> Result<DirectionSpec, DirectionError> {
    DirectionSpec::new(method.directions.into(), method.direction_count.unwrap_or(parameters), parameters)
}

impl FarSignHost {
    /// A server before its first worker.
    ///
    /// # Errors
    /// When the method's directions are impossible for the model.
    pub fn new(run: FarSignRun<'_>, materials: &Materials) -> Result<Self, DirectionError> {
        let FarSignRun { method, batch, rate, messages, workers, liars, seed, fault } = run;
        let mut chance = Chance::new(seed, Part::Host, 0);
        let directions = directions_of(method, materials.architecture.parameters())?;
        let direction_seed = chance.bits();
        let rule = match method.rule {
            Rule::Vote { gamma, .. } => optimizer::Rule::Vote { gamma, direction_seed },
            _ => optimizer::Rule::Plain,
        };
        let tracked = method.rule == Rule::ServerTracked;
        let settings = settings(method, materials, batch, directions);
        let x = materials.architecture.initial_parameters(Chance::new(seed, Part::Parameters, 0).bits());
        let horizon = method.horizon * messages as f64;
        let step_size = StepSize { initial: rate, decay: Decay::Cosine { horizon } };
        let published = Published::new(&x);
        let optimizer = FarSign::new(FarSignOptions { x, directions, step_size, rule });
        Ok(Self {
            assigner: Assigner::new(assignment(method, settings.order, rule)),
            checks: checks(method.rule, &settings, materials),
            audit: audit(method.rule, materials, directions, workers),
            tracking: tracked.then(|| Tracking {
                beta: method.beta,
                order: method.order,
                directions: Directions::new(directions, direction_seed),
                y: vec![0.0; directions.count()],
                signs: SignBits::default(),
            }),
            members: liars.iter().map(|&lies| Member { lies, ..Member::default() }).collect(),
            fixed_directions: (tracked && method.order == Order::First).then_some(direction_seed),
            settings,
            optimizer,
            published,
            joined: 0,
            issued: 0,
            weights: (0.0, 0.0),
            chance,
            fault,
        })
    }

    /// The weight that is not the product's: 1, or what an audit says.
    fn trust(&mut self, worker: usize, task: &Task, signs: &SignBits) -> f32 {
        if let Some(checks) = &mut self.checks {
            return checks.mean.relative(self.members[worker].trust);
        }
        let Some(audit) = &mut self.audit else { return 1.0 };
        let (messages, chance) = (self.issued, &mut self.chance);
        audit.renew(messages, self.optimizer.x(), || chance.bits());
        audit.weigh(worker, task.direction_seed, signs)
    }

    /// Moves the model.
    fn apply(&mut self, worker: usize, task: &Task, signs: &SignBits) {
        let turned = (self.fault == Some(Fault::SignsTurned)).then(|| signs.flipped());
        let signs = turned.as_ref().unwrap_or(signs);
        let trust = self.trust(worker, task, signs);
        let Some(volunteer) = self.members[worker].volunteer else { return };
        let contribution = Contribution { volunteer, direction_seed: task.direction_seed, trust, signs };
        // One that an audit gives no weight is received and not applied.
        let Ok(applied) = self.optimizer.apply(contribution) else { return };
        if self.fault == Some(Fault::WeightsIgnored) {
            self.forget_weight(applied.alpha);
        }
        self.weights.1 += f64::from(applied.weight);
        if self.members[worker].lies {
            self.weights.0 += f64::from(applied.weight);
        }
        if self.checks.is_some() {
            self.members[worker].moves.push(task.id, self.optimizer.last_step());
        }
        let active = self.optimizer.active();
        let updates = self.optimizer.accepted();
        self.published.renew(self.optimizer.x(), updates, updates, active);
    }

    /// The last step as if its weight had been 1.
    fn forget_weight(&mut self, alpha: f32) {
        let step = self.optimizer.last_step();
        let rest = Step { scale: -alpha - step.scale, ..step.clone() };
        self.optimizer.undo(&rest).expect("it is as long as the step before it");
    }

    /// Checks the answers of a worker if it is time; whether they were right.
    fn check(&mut self, worker: usize, signs: &SignBits) -> bool {
        let (Some(checks), member) = (&mut self.checks, &mut self.members[worker]) else { return true };
        let (share, chance) = (member.trust.check_share(checks.share), &mut self.chance);
        let picked = member.chain.answered(signs, true, || pick(share, chance.bits()));
        let Picked::Check(Segment { answered, tracker }) = picked else { return true };
        let tracker = &mut tracker.lock().expect("nobody panics with it");
        let wrong = checks.recomputation.first_wrong(&answered, tracker);
        checks.tally.recomputed += wrong.map_or(answered.len(), |wrong| wrong + 1) as u64;
        if wrong.is_none() || self.fault == Some(Fault::ChecksBlind) {
            checks.tally.passed += 1;
            member.trust.passed += 1;
            member.moves.checked(answered[answered.len() - 1].task.id);
            return true;
        }
        checks.tally.failed += 1;
        false
    }

    /// Takes back what a liar did lately, and forgets it.
    fn remove(&mut self, worker: usize) {
        let member = std::mem::take(&mut self.members[worker]);
        self.members[worker].lies = member.lies;
        if let Some(volunteer) = member.volunteer {
            self.optimizer.leave(volunteer);
        }
        for step in member.moves.undo() {
            if !self.optimizer.is_finished() {
                self.optimizer.undo(&step).expect("it is as long as the step that it takes back");
            }
        }
    }
}

fn settings(
    method: &FarSignMethod,
    materials: &Materials,
    batch: u32,
    directions: DirectionSpec,
) -> RunSettings {
    RunSettings {
        run_id: 0,
        architecture: materials.architecture.clone(),
        order: match method.order {
            Order::First => estimate::Order::First,
            Order::Zeroth { delta } => estimate::Order::Zeroth { delta },
        },
        directions,
        batch,
        // Workers send each estimate as it is where the server keeps the average.
        beta: if method.rule == Rule::ServerTracked { 1.0 } else { method.beta },
        task_expiry_ms: 0,
        train_digest: materials.train.digest(),
    }
}

fn assignment(method: &FarSignMethod, order: estimate::Order, rule: optimizer::Rule) -> AssignmentOptions {
    AssignmentOptions {
        order,
        rule,
        minibatch_window: if let Rule::Vote { window, .. } = method.rule { window } else { 1 },
        direction_hold: method.direction_hold,
        resets: matches!(method.rule, Rule::Verified { .. }).then_some(ResetInterval::CHECKED),
    }
}

fn checks(rule: Rule, settings: &RunSettings, materials: &Materials) -> Option<Checks> {
    let Rule::Verified { check_share: share } = rule else { return None };
    let recomputation = Recomputation::new(settings.clone(), Arc::clone(&materials.train));
    Some(Checks { share, recomputation, mean: TrustMean::default(), tally: CheckTally::default() })
}

fn audit(rule: Rule, materials: &Materials, directions: DirectionSpec, workers: usize) -> Option<Audit> {
    let Rule::Audited { every, batch } = rule else { return None };
    let (data, architecture) = (Arc::clone(&materials.validation), &materials.architecture);
    Some(Audit::new(data, architecture, directions, (every, batch as usize), workers))
}

impl Tracking {
    /// The signs of a worker's running average after one more estimate.
    fn signs(&mut self, tracker: &mut Tracker, task: &Task, estimate: &[f32]) -> &SignBits {
        if task.reset_tracker {
            tracker.reset();
        }
        let average = tracker.update(estimate, self.beta);
        if self.order == Order::First {
            self.directions.project(average, &mut self.y);
            self.signs.set_from(&self.y, task.coin_seed);
        } else {
            self.signs.set_from(average, task.coin_seed);
        }
        &self.signs
    }
}

impl Host for FarSignHost {
    fn settings(&self) -> &RunSettings {
        &self.settings
    }

    fn join(&mut self, worker: usize, known: bool) {
        self.joined += 1;
        let volunteer = VolunteerId(self.joined);
        self.optimizer.join(volunteer);
        let member = &mut self.members[worker];
        let trust = if known { member.trust } else { Trust::default() };
        *member = Member { volunteer: Some(volunteer), trust, lies: member.lies, ..Member::default() };
        if let Some(audit) = &mut self.audit
            && !known
        {
            audit.forget(worker);
        }
    }

    fn leave(&mut self, worker: usize) {
        if let Some(volunteer) = self.members[worker].volunteer.take() {
            self.optimizer.leave(volunteer);
        }
    }

    fn issue(&mut self, worker: usize) -> (Task, Arc<[f32]>) {
        let (member, chance) = (&mut self.members[worker], &mut self.chance);
        let accepted = self.optimizer.accepted();
        let assignment = self.assigner.assign(&mut member.assignment, accepted, || chance.bits());
        let Assignment { minibatch_seed, direction_seed, coin_seed, reset_tracker } = assignment;
        self.issued += 1;
        let task = Task {
            id: TaskId(self.issued),
            snapshot_version: self.published.version,
            minibatch_seed,
            direction_seed: self.fixed_directions.unwrap_or(direction_seed),
            coin_seed,
            reset_tracker,
        };
        if let Some(checks) = &self.checks {
            if task.reset_tracker {
                let share = member.trust.check_share(checks.share);
                member.chain = Chain::until(pick(share, chance.bits()));
            }
            member.chain.issued(&task, || Arc::clone(&self.published.x));
        }
        (task, Arc::clone(&self.published.x))
    }

    fn receive(&mut self, worker: usize, answer: Answer<'_>) -> Outcome {
        let Answer { task, signs, vector, .. } = answer;
        if let Some(mut tracking) = self.tracking.take() {
            let mut tracker = std::mem::take(&mut self.members[worker].tracker);
            self.apply(worker, task, tracking.signs(&mut tracker, task, vector));
            self.members[worker].tracker = tracker;
            self.tracking = Some(tracking);
            return Outcome::Taken;
        }
        self.apply(worker, task, signs);
        if self.check(worker, signs) {
            return Outcome::Taken;
        }
        self.remove(worker);
        Outcome::Removed
    }

    fn x(&self) -> &[f32] {
        self.optimizer.x()
    }

    fn updates(&self) -> u64 {
        self.optimizer.accepted()
    }

    fn published_updates(&self) -> u64 {
        self.published.updates
    }

    fn is_finished(&self) -> bool {
        self.optimizer.is_finished()
    }

    fn weights(&self) -> Option<(f64, f64)> {
        Some(self.weights)
    }

    fn checks(&self) -> CheckTally {
        self.checks.as_ref().map_or_else(CheckTally::default, |checks| checks.tally)
    }
}
