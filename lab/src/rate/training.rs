//! One run on the problem: asynchronous workers, each as fast as in the simulator, through the product's own optimizer,
//! trackers, directions and estimates.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use farsign::assignment::{Assigner, Assignment, AssignmentOptions, VolunteerAssignment};
use farsign::direction::{DirectionSpec, Directions};
use farsign::estimate::{self, Order};
use farsign::optimizer::{Contribution, FarSign, FarSignOptions, Rule};
use farsign::random::Stream;
use farsign::sign::SignBits;
use farsign::task::VolunteerId;
use farsign::tracker::Tracker;

use super::problem::{POINTS, Problem};
use super::{Case, RateOptions};
use crate::chance::{Chance, Part};
use crate::fleet::{Pace, Recruit, recruit};
use crate::scenario::Network;

/// A worker in the middle of a task.
struct Worker {
    pace: Pace,
    tracker: Tracker,
    assigned: VolunteerAssignment,
    task: Assignment,
    /// The snapshot it works at, `[d]`.
    x: Vec<f32>,
    /// Tasks it has answered.
    answered: u64,
}

/// What workers compute with, in buffers that all of them use.
struct Bench {
    directions: Directions,
    batch: Vec<usize>,
    estimate: Vec<f32>,
    projections: Vec<f32>,
    shifted: Vec<f32>,
    signs: SignBits,
}

/// Norms of the true gradient at the parameters, one every [`super::EVERY`] messages, of one run.
pub fn norms(case: &Case, options: &RateOptions, problem: &Problem, seed: u64) -> Vec<f64> {
    let mut run = Run::new(case, options, problem, seed);
    let all: Vec<usize> = (0..POINTS).collect();
    let mut gradient = vec![0.0; problem.parameters()];
    let mut norms = Vec::new();
    for message in 0..case.messages {
        if message % super::EVERY == 0 {
            problem.gradient(run.optimizer.x(), &all, &mut gradient);
            norms.push(gradient.iter().map(|&g| f64::from(g) * f64::from(g)).sum::<f64>().sqrt());
        }
        run.message();
    }
    norms
}

struct Run<'a> {
    case: &'a Case,
    options: &'a RateOptions,
    problem: &'a Problem,
    optimizer: FarSign,
    assigner: Assigner,
    workers: Vec<Worker>,
    bench: Bench,
    /// When who is done, in microseconds; at the same time in order of planning.
    done: BinaryHeap<Reverse<(u64, u64, usize)>>,
    planned: u64,
    chance: Chance,
}

impl<'a> Run<'a> {
    fn new(case: &'a Case, options: &'a RateOptions, problem: &'a Problem, seed: u64) -> Self {
        let spec = DirectionSpec::new(case.directions, case.direction_count, problem.parameters())
            .expect("the cases are constant");
        let mut start = Chance::new(seed, Part::Parameters, 0);
        let x: Vec<f32> = (0..problem.parameters()).map(|_| start.normal() as f32).collect();
        let recruits = recruit(&options.fleet, &Network::default(), None, 0.0, seed);
        let workers = recruits.into_iter().map(|recruit| Worker::new(recruit, &x)).collect();
        let assignment = AssignmentOptions {
            order: case.order,
            rule: Rule::Plain,
            minibatch_window: 1,
            direction_hold: case.direction_hold,
            resets: None,
        };
        let mut run = Self {
            case,
            options,
            problem,
            optimizer: FarSign::new(FarSignOptions {
                x,
                directions: spec,
                step_size: case.slow,
                rule: Rule::Plain,
            }),
            assigner: Assigner::new(assignment),
            bench: Bench::new(spec, case.order),
            done: BinaryHeap::new(),
            planned: 0,
            chance: Chance::new(seed, Part::Host, 0),
            workers,
        };
        for worker in 0..run.workers.len() {
            run.optimizer.join(VolunteerId(worker as u64));
            run.issue(worker, 0);
        }
        run
    }

    fn issue(&mut self, index: usize, now_us: u64) {
        let worker = &mut self.workers[index];
        let chance = &mut self.chance;
        worker.task = self.assigner.assign(&mut worker.assigned, self.optimizer.accepted(), || chance.bits());
        worker.x.copy_from_slice(self.optimizer.x());
        self.planned += 1;
        self.done.push(Reverse((now_us + worker.pace.task_us(), self.planned, index)));
    }

    /// The next answer arrives, and moves the model.
    fn message(&mut self) {
        let Some(Reverse((now_us, _, index))) = self.done.pop() else { return };
        let worker = &mut self.workers[index];
        self.bench.work(self.case, self.options.batch, self.problem, worker);
        let turned = self.options.signs_turned.then(|| self.bench.signs.flipped());
        let contribution = Contribution {
            volunteer: VolunteerId(index as u64),
            direction_seed: worker.task.direction_seed,
            trust: 1.0,
            signs: turned.as_ref().unwrap_or(&self.bench.signs),
        };
        self.optimizer.apply(contribution).expect("it has a sign for each direction, and the run has no end");
        self.issue(index, now_us);
    }
}

impl Worker {
    fn new(recruit: Recruit, x: &[f32]) -> Self {
        Self {
            pace: recruit.pace,
            tracker: Tracker::default(),
            assigned: VolunteerAssignment::default(),
            task: Assignment { minibatch_seed: 0, direction_seed: 0, coin_seed: 0, reset_tracker: true },
            x: x.to_vec(),
            answered: 0,
        }
    }
}

impl Bench {
    fn new(spec: DirectionSpec, order: Order) -> Self {
        let estimates = if order == Order::First { spec.parameters() } else { spec.count() };
        Self {
            directions: Directions::new(spec, 0),
            batch: Vec::new(),
            estimate: vec![0.0; estimates],
            projections: vec![0.0; spec.count()],
            shifted: Vec::new(),
            signs: SignBits::default(),
        }
    }

    /// The answer of a worker to its task, into `signs`.
    fn work(&mut self, case: &Case, batch: usize, problem: &Problem, worker: &mut Worker) {
        let Worker { tracker, task, x, answered, .. } = worker;
        let mut draws = Stream::new(task.minibatch_seed);
        self.batch.clear();
        self.batch.extend((0..batch).map(|_| draws.below(POINTS as u64) as usize));
        self.directions.reseed(task.direction_seed);
        if task.reset_tracker {
            tracker.reset();
        }
        let beta = case.fast.at(*answered as f64);
        *answered += 1;
        if let Order::Zeroth { delta } = case.order {
            let loss = |x: &[f32]| problem.loss(x, &self.batch);
            let (shifted, g) = (&mut self.shifted, &mut self.estimate);
            estimate::zeroth_order(loss, x, &self.directions, delta, shifted, g);
            self.signs.set_from(tracker.update(&self.estimate, beta), task.coin_seed);
        } else {
            problem.gradient(x, &self.batch, &mut self.estimate);
            self.directions.project(tracker.update(&self.estimate, beta), &mut self.projections);
            self.signs.set_from(&self.projections, task.coin_seed);
        }
    }
}
