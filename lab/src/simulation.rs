//! The asynchronous world: a virtual clock, and a heap of what happens next.
//!
//! ```text
//!   host.issue --> Computed --> (lost?) --> Arrives (twice?) --> host.receive --> host.issue ...
//!                                 |                                  |
//!                                 v                                  v
//!                              Rejoins                         Returns, later: joins again
//! ```
//!
//! Events at the same time happen in the order in which they were planned, so a run is a function of its seed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use farsign::task::{Task, TaskId};

use crate::chance::{Chance, Part};
use crate::fleet::MICROSECONDS;
use crate::host::{Answer, Host, Outcome};
use crate::record::Recorder;
use crate::scenario::{LATE_TASKS, Network};
use crate::workshop::{Worker, Workshop};

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A worker is done with a task.
    Computed { worker: usize, task: TaskId },
    /// Its answer arrives.
    Arrives { worker: usize, task: TaskId },
    /// A worker has noticed that its answer was lost.
    Rejoins { worker: usize, task: TaskId },
    /// A worker comes back.
    Returns { worker: usize },
}

/// A task that a worker has.
#[derive(Debug)]
struct Open {
    task: Task,
    x: Arc<[f32]>,
    /// Updates in `x`.
    updates: u64,
}

/// The world around a host.
pub struct Simulation<'a> {
    host: &'a mut dyn Host,
    workshop: Workshop,
    workers: Vec<Worker>,
    open: Vec<Option<Open>>,
    network: Network,
    /// Time by which delayed answers are late.
    late_us: f64,
    chances: Vec<Chance>,
    now_us: u64,
    planned: u64,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
}

impl<'a> Simulation<'a> {
    /// Before anybody has joined.
    pub fn new(
        host: &'a mut dyn Host,
        workshop: Workshop,
        workers: Vec<Worker>,
        network: Network,
        (task_s, seed): (f64, u64),
    ) -> Self {
        Self {
            host,
            workshop,
            open: workers.iter().map(|_| None).collect(),
            chances: (0..workers.len()).map(|index| Chance::new(seed, Part::Network, index)).collect(),
            workers,
            network,
            late_us: LATE_TASKS * task_s * MICROSECONDS,
            now_us: 0,
            planned: 0,
            events: BinaryHeap::new(),
        }
    }

    /// Runs until the host has received so many messages, is finished, or nobody is left.
    pub fn run(mut self, messages: u64, recorder: &mut Recorder<'_>) {
        for worker in 0..self.workers.len() {
            self.host.join(worker, false);
            self.issue(worker);
        }
        recorder.point(0, 0, self.host.x());
        while let Some(Reverse((time_us, _, event))) = self.events.pop() {
            self.now_us = time_us;
            match event {
                Event::Computed { worker, task } => {
                    if !self.computed(worker, task) {
                        recorder.diverged();
                        break;
                    }
                }
                Event::Arrives { worker, task } => self.arrives(worker, task, recorder),
                Event::Rejoins { worker, task } => {
                    if self.has_open(worker, task) {
                        self.host.leave(worker);
                        self.joins(worker, true);
                    }
                }
                Event::Returns { worker } => self.joins(worker, true),
            }
            if recorder.received() >= messages || self.host.is_finished() {
                break;
            }
        }
        recorder.end(self.now_us, self.host.x());
        recorder.checked(self.host.checks(), self.host.weights());
    }

    fn plan(&mut self, after_us: u64, event: Event) {
        self.planned += 1;
        self.events.push(Reverse((self.now_us.saturating_add(after_us), self.planned, event)));
    }

    fn has_open(&self, worker: usize, task: TaskId) -> bool {
        self.open[worker].as_ref().is_some_and(|open| open.task.id == task)
    }

    fn latency_us(&mut self, worker: usize) -> u64 {
        let time_s = self.network.latency_s * self.chances[worker].lognormal(self.network.spread);
        (time_s * MICROSECONDS) as u64
    }

    fn joins(&mut self, worker: usize, known: bool) {
        self.host.join(worker, known);
        self.issue(worker);
    }

    fn issue(&mut self, worker: usize) {
        let (task, x) = self.host.issue(worker);
        let updates = self.host.published_updates();
        self.open[worker] = Some(Open { task, x, updates });
        let takes_us = self.latency_us(worker).saturating_add(self.workers[worker].pace.task_us());
        self.plan(takes_us, Event::Computed { worker, task: task.id });
    }

    /// Whether the model is still one that can be worked at.
    fn computed(&mut self, worker: usize, task: TaskId) -> bool {
        if !self.has_open(worker, task) {
            return true;
        }
        let open = self.open[worker].as_ref().expect("it was just seen");
        if !self.workshop.work(worker, &mut self.workers[worker], &open.task, &open.x) {
            return false;
        }
        let Network { loss, duplication, delay, rejoin_s, .. } = self.network;
        if self.chances[worker].happens(loss) {
            self.plan((rejoin_s * MICROSECONDS) as u64, Event::Rejoins { worker, task });
            return true;
        }
        let late_us = if self.chances[worker].happens(delay) { self.late_us as u64 } else { 0 };
        let takes_us = self.latency_us(worker).saturating_add(late_us);
        self.plan(takes_us, Event::Arrives { worker, task });
        if self.chances[worker].happens(duplication) {
            let takes_us = self.latency_us(worker).saturating_add(late_us);
            self.plan(takes_us, Event::Arrives { worker, task });
        }
        true
    }

    fn arrives(&mut self, worker: usize, task: TaskId, recorder: &mut Recorder<'_>) {
        if !self.has_open(worker, task) {
            recorder.refused(); // it was answered already, by its duplicate
            return;
        }
        let open = self.open[worker].take().expect("it was just seen");
        let staleness = self.host.updates() - open.updates;
        let message = &self.workers[worker].message;
        let answer = Answer {
            task: &open.task,
            x_sent: &open.x,
            staleness,
            signs: &message.signs,
            vector: &message.vector,
        };
        let outcome = self.host.receive(worker, answer);
        recorder.received_from(self.workers[worker].lies(), staleness);
        recorder.point_if_due(self.now_us, self.host.x());
        match outcome {
            Outcome::Removed => self.removed(worker, recorder),
            Outcome::Taken => match self.workers[worker].pace.away_us() {
                None => self.issue(worker),
                Some(away_us) => {
                    self.host.leave(worker);
                    self.plan(away_us, Event::Returns { worker });
                }
            },
        }
    }

    fn removed(&mut self, worker: usize, recorder: &mut Recorder<'_>) {
        recorder.removed(self.workers[worker].lies());
        if let Some(liar) = &mut self.workers[worker].liar
            && liar.attack().rejoins()
        {
            liar.start_over();
            self.joins(worker, false);
        }
    }
}
