//! What workers send for their tasks, honest ones and liars.
//!
//! Honest work is the product's own: [`Answerer`] computes it, in one set of buffers for all workers, each of which
//! brings its tracker.

use std::sync::Arc;

use farsign::answer::Answerer;
use farsign::dataset::Dataset;
use farsign::direction::Directions;
use farsign::estimate::Order;
use farsign::kernels::sparse::Kernel;
use farsign::minibatch::Minibatch;
use farsign::sign::SignBits;
use farsign::task::{RunSettings, Task};
use farsign::tracker::Tracker;

use crate::attack::{Attack, Crowd, Liar, Lie};
use crate::fleet::{Pace, Recruit};
use crate::materials::Allotment;

/// A worker in the middle of a run.
#[derive(Debug)]
pub struct Worker {
    /// How it spends its time.
    pub pace: Pace,
    /// How it lies, if it does.
    pub liar: Option<Liar>,
    /// What it sends.
    pub message: Message,
    data: Arc<Dataset>,
    tracker: Tracker,
}

/// An answer on its way.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// The signs.
    pub signs: SignBits,
    /// The numbers behind them: `[d]`, or `[K]` in zeroth order.
    pub vector: Vec<f32>,
}

impl Worker {
    /// Of a recruit, with its part of the data.
    pub fn new(index: usize, Recruit { pace, liar }: Recruit, allotment: &Allotment<'_>) -> Self {
        let poisoned = liar.as_ref().is_some_and(|liar| liar.attack() == Attack::LabelFlip);
        let data = if poisoned { allotment.poisoned_of(index) } else { allotment.of(index) };
        Self { pace, liar, message: Message::default(), data, tracker: Tracker::default() }
    }

    /// Whether it lies, or will.
    pub fn lies(&self) -> bool {
        self.liar.is_some()
    }
}

/// Computes what workers send.
#[derive(Debug)]
pub struct Workshop {
    answerer: Answerer,
    kernel: Kernel,
    batch: Minibatch,
    directions: Directions,
    /// What liars see, if they look.
    crowd: Crowd,
    watched: bool,
    /// An honest answer as a vector, `[d]`.
    report: Vec<f32>,
    projections: Vec<f32>,
}

impl Workshop {
    /// For workers that are told `settings`, and liars that look at each other's work if they are omniscient.
    pub fn new(settings: &RunSettings, attack: Option<Attack>) -> Self {
        Self {
            answerer: Answerer::new(settings.clone()),
            kernel: Kernel::new(&settings.architecture),
            batch: Minibatch::default(),
            directions: Directions::new(settings.directions, 0),
            crowd: Crowd::default(),
            watched: attack.is_some_and(|attack| attack.is_omniscient()),
            report: Vec::new(),
            projections: vec![0.0; settings.directions.count()],
        }
    }

    /// What the worker at this place sends for a task at `x`, `[d]`, into its message; whether it sends something: not
    /// when its estimate is not finite.
    pub fn work(&mut self, index: usize, worker: &mut Worker, task: &Task, x: &[f32]) -> bool {
        let idle = worker.liar.as_ref().is_some_and(|liar| !liar.attack().needs_own_work());
        if idle && !self.crowd.first().is_empty() {
            self.report.clear();
        } else {
            if !self.work_honestly(worker, task, x) {
                return false;
            }
            if !(worker.lies() || self.watched) {
                return true;
            }
            self.describe(&worker.message.vector, task);
        }
        match &mut worker.liar {
            None => self.crowd.see(index, &self.report),
            Some(liar) => {
                if liar.attack() == Attack::ZerothOrder {
                    self.report.resize(x.len(), 0.0);
                    self.batch.draw(
                        &worker.data,
                        task.minibatch_seed,
                        self.answerer.settings().batch as usize,
                    );
                    self.kernel.loss_and_gradient(x, &self.batch, &mut self.report);
                }
                if let Lie::Vector(lie) = liar.lie(&self.report, &mut self.crowd) {
                    let order = self.answerer.settings().order;
                    self.directions.reseed(task.direction_seed);
                    self.directions.project(lie, &mut self.projections);
                    worker.message.signs.set_from(&self.projections, task.coin_seed);
                    let sent = if order == Order::First { lie } else { &self.projections };
                    worker.message.vector.clear();
                    worker.message.vector.extend_from_slice(sent);
                }
            }
        }
        true
    }

    fn work_honestly(&mut self, worker: &mut Worker, task: &Task, x: &[f32]) -> bool {
        self.answerer.exchange_tracker(&mut worker.tracker);
        let answered = self.answerer.answer(task, x, &worker.data);
        let finite = answered.is_some();
        if let Some(signs) = answered {
            worker.message.signs.clone_from(signs);
            worker.message.vector.clear();
            worker.message.vector.extend_from_slice(self.answerer.tracker().average());
        }
        self.answerer.exchange_tracker(&mut worker.tracker);
        finite
    }

    /// An honest answer as a vector, `[d]`: in zeroth order `A' y`.
    fn describe(&mut self, sent: &[f32], task: &Task) {
        self.report.clear();
        if self.answerer.settings().order == Order::First {
            self.report.extend_from_slice(sent);
        } else {
            self.directions.reseed(task.direction_seed);
            self.report.resize(self.directions.spec().parameters(), 0.0);
            for (k, y) in sent.iter().enumerate() {
                self.directions.add_row(k, *y, &mut self.report);
            }
        }
    }
}
