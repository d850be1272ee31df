//! One run on the problem: asynchronous workers with the simulator's speeds, and the product's optimizer, momentum,
//! directions and estimates.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use farsign::assignment::{Assigner, Assignment, AssignmentOptions, VolunteerAssignment};
use farsign::direction::{DirectionSpec, Directions};
use farsign::estimate::{self, Order};
use farsign::momentum::Momentum;
use farsign::optimizer::{FarSign, FarSignOptions, Rule, SignUpdate};
use farsign::random::Stream;
use farsign::sign::SignBits;
use farsign::task::{TaskId, VolunteerId};

use crate::engine::fleet::{WorkerProfile, WorkerTiming, spawn_fleet};
use crate::rng::{RngStream, SimRng};
use crate::scenario::NetworkModel;
use crate::studies::convergence::problem::{POINTS, Problem};
use crate::studies::convergence::{ConvergenceCase, ConvergenceOptions, NORM_INTERVAL};

/// A worker with a task.
struct Worker {
    timing: WorkerTiming,
    momentum: Momentum,
    assigned: VolunteerAssignment,
    task: Assignment,
    /// The snapshot of the task, `[d]`.
    x: Vec<f32>,
    /// Updates sent.
    sent: u64,
}

/// Buffers that all workers share.
struct Scratch {
    directions: Directions,
    batch: Vec<usize>,
    estimate: Vec<f32>,
    projections: Vec<f32>,
    shifted: Vec<f32>,
    signs: SignBits,
}

/// Returns the norms of the true gradient at the parameters of one run, every [`NORM_INTERVAL`] updates.
pub fn norms(
    case: &ConvergenceCase,
    options: &ConvergenceOptions,
    problem: &Problem,
    seed: u64,
) -> Vec<f64> {
    let mut training = Training::new(case, options, problem, seed);
    let all: Vec<usize> = (0..POINTS).collect();
    let mut gradient = vec![0.0; problem.parameters()];
    let mut norms = Vec::new();
    for update in 0..case.updates {
        if update % NORM_INTERVAL == 0 {
            problem.gradient(&training.optimizer.parameters(), &all, &mut gradient);
            norms.push(
                gradient
                    .iter()
                    .map(|&g| f64::from(g) * f64::from(g))
                    .sum::<f64>()
                    .sqrt(),
            );
        }
        training.process_update();
    }
    norms
}

struct Training<'a> {
    case: &'a ConvergenceCase,
    options: &'a ConvergenceOptions,
    problem: &'a Problem,
    optimizer: FarSign,
    assigner: Assigner,
    workers: Vec<Worker>,
    scratch: Scratch,
    /// Completion times in microseconds with the workers; ties in the order of scheduling.
    done: BinaryHeap<Reverse<(u64, u64, usize)>>,
    scheduled: u64,
}

impl<'a> Training<'a> {
    fn new(
        case: &'a ConvergenceCase,
        options: &'a ConvergenceOptions,
        problem: &'a Problem,
        seed: u64,
    ) -> Self {
        let directions =
            DirectionSpec::new(case.directions, case.direction_count, problem.parameters())
                .expect("the cases are constant");
        let mut start = SimRng::new(seed, RngStream::Parameters, 0);
        let x: Vec<f32> = (0..problem.parameters())
            .map(|_| start.normal() as f32)
            .collect();
        let profiles = spawn_fleet(&options.fleet, &NetworkModel::default(), None, seed);
        let workers = profiles
            .into_iter()
            .map(|profile| Worker::new(profile, &x))
            .collect();
        let assignment = AssignmentOptions {
            order: case.order,
            rule: Rule::Plain,
            minibatch_window: 1,
            direction_reuse: case.direction_reuse,
            resets: None,
        };
        let optimizer = FarSignOptions::new(&x, directions, case.slow, Rule::Plain);
        let optimizer = FarSign::new(optimizer.expect("the cases are constant"));
        let key = SimRng::new(seed, RngStream::Server, 0).key();
        let mut training = Self {
            case,
            options,
            problem,
            optimizer,
            assigner: Assigner::new(assignment, key),
            scratch: Scratch::new(directions, case.order),
            done: BinaryHeap::new(),
            scheduled: 0,
            workers,
        };
        for worker in 0..training.workers.len() {
            training.optimizer.join(VolunteerId(worker as u64));
            training.issue(worker, 0);
        }
        training
    }

    fn issue(&mut self, index: usize, now_us: u64) {
        let worker = &mut self.workers[index];
        self.scheduled += 1;
        let task = TaskId(self.scheduled);
        worker.task = self
            .assigner
            .assign(&mut worker.assigned, task, self.optimizer.accepted());
        worker.x = self.optimizer.parameters();
        let done_us = now_us + worker.timing.sample_task_us();
        self.done.push(Reverse((done_us, self.scheduled, index)));
    }

    /// Applies the next update.
    fn process_update(&mut self) {
        let Some(Reverse((now_us, _, index))) = self.done.pop() else {
            return;
        };
        let worker = &mut self.workers[index];
        self.scratch
            .compute_update(self.case, self.options.batch, self.problem, worker);
        let flipped = self
            .options
            .signs_flipped
            .then(|| self.scratch.signs.flipped());
        let update = SignUpdate {
            volunteer: VolunteerId(index as u64),
            direction_seed: worker.task.direction_seed,
            trust: 1.0,
            signs: flipped.as_ref().unwrap_or(&self.scratch.signs),
        };
        self.optimizer
            .apply(update)
            .expect("the update has a sign for each direction, and the run no end");
        self.issue(index, now_us);
    }
}

impl Worker {
    fn new(profile: WorkerProfile, x: &[f32]) -> Self {
        Self {
            timing: profile.timing,
            momentum: Momentum::default(),
            assigned: VolunteerAssignment::default(),
            task: Assignment {
                minibatch_seed: 0,
                direction_seed: 0,
                coin_seed: 0,
                reset_momentum: true,
            },
            x: x.to_vec(),
            sent: 0,
        }
    }
}

impl Scratch {
    fn new(spec: DirectionSpec, order: Order) -> Self {
        let estimates = if order == Order::First {
            spec.parameters()
        } else {
            spec.count()
        };
        Self {
            directions: Directions::new(spec, 0),
            batch: Vec::new(),
            estimate: vec![0.0; estimates],
            projections: vec![0.0; spec.count()],
            shifted: Vec::new(),
            signs: SignBits::default(),
        }
    }

    /// Computes the update of a worker into `signs`.
    fn compute_update(
        &mut self,
        case: &ConvergenceCase,
        batch: usize,
        problem: &Problem,
        worker: &mut Worker,
    ) {
        let Worker {
            momentum,
            task,
            x,
            sent,
            ..
        } = worker;
        let mut draws = Stream::new(task.minibatch_seed);
        self.batch.clear();
        self.batch
            .extend((0..batch).map(|_| draws.below(POINTS as u64) as usize));
        self.directions.reseed(task.direction_seed);
        if task.reset_momentum {
            momentum.reset();
        }
        let beta = case.fast.at(*sent as f64);
        *sent += 1;
        if let Order::Zeroth { delta } = case.order {
            let loss = |x: &[f32]| problem.loss(x, &self.batch);
            estimate::zeroth_order(
                loss,
                x,
                &self.directions,
                delta,
                &mut self.shifted,
                &mut self.estimate,
            );
            self.signs
                .copy_from(momentum.update(&self.estimate, beta), task.coin_seed);
        } else {
            problem.gradient(x, &self.batch, &mut self.estimate);
            self.directions
                .project(momentum.update(&self.estimate, beta), &mut self.projections);
            self.signs.copy_from(&self.projections, task.coin_seed);
        }
    }
}
