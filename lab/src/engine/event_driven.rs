//! The asynchronous engine: a discrete-event simulation with a virtual clock and a heap of events.
//!
//! ```text
//!   server.next_task --> Computed --> (lost?) --> Arrived (twice?) --> server.receive --> server.next_task ...
//!                                        |                                  |
//!                                        v                                  v
//!                                    LossDetected                        Returned, after an absence: rejoins
//! ```
//!
//! Events at the same time are processed in the order of scheduling, so a run is a function of its seed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use farsign::task::{Task, TaskId};

use crate::engine::fleet::US_PER_S;
use crate::engine::task_sizing::{TaskSizing, UpdateTimes};
use crate::engine::worker_pool::{Worker, WorkerPool};
use crate::metrics::MetricsRecorder;
use crate::rng::{RngStream, SimRng};
use crate::scenario::{NetworkModel, STALE_TASKS};
use crate::servers::{ReceivedUpdate, SimServer, UpdateOutcome};

/// A simulated event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A worker has computed its update.
    Computed { worker: usize, task: TaskId },
    /// An update arrives.
    Arrived { worker: usize, task: TaskId },
    /// A worker has detected the loss of its update.
    LossDetected { worker: usize, task: TaskId },
    /// A worker returns from an absence.
    Returned { worker: usize },
}

/// A task that a worker has received.
#[derive(Debug)]
struct InFlightTask {
    task: Task,
    x: Arc<[f32]>,
    /// Updates of the server in `x`.
    updates: u64,
    sent_us: u64,
    /// Time of its frames on the line so far.
    line_us: u64,
}

/// The network and the workers around a server.
pub struct Simulation<'a> {
    server: &'a mut dyn SimServer,
    pool: WorkerPool,
    workers: Vec<Worker>,
    in_flight: Vec<Option<InFlightTask>>,
    network: NetworkModel,
    /// `None` if all tasks have as many images.
    sizing: Option<TaskSizing>,
    /// Additional delay of stale updates.
    late_us: f64,
    rngs: Vec<SimRng>,
    now_us: u64,
    scheduled: u64,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
}

impl<'a> Simulation<'a> {
    /// Creates a simulation without joined workers.
    pub fn new(
        server: &'a mut dyn SimServer,
        pool: WorkerPool,
        workers: Vec<Worker>,
        network: NetworkModel,
        task_s: f64,
        seed: u64,
    ) -> Self {
        Self {
            server,
            pool,
            in_flight: workers.iter().map(|_| None).collect(),
            rngs: (0..workers.len())
                .map(|index| SimRng::new(seed, RngStream::Network, index))
                .collect(),
            workers,
            network,
            sizing: None,
            late_us: STALE_TASKS * task_s * US_PER_S,
            now_us: 0,
            scheduled: 0,
            events: BinaryHeap::new(),
        }
    }

    /// Sizes tasks to their workers, or not.
    pub fn with_task_sizing(self, sizing: Option<TaskSizing>) -> Self {
        Self { sizing, ..self }
    }

    /// Runs until the server has received `updates` updates or is finished, or no worker is left.
    pub fn run(mut self, updates: u64, recorder: &mut MetricsRecorder<'_>) {
        for worker in 0..self.workers.len() {
            self.server.join(worker, false);
            self.issue(worker);
        }
        recorder.point(0, 0, &self.server.parameters());
        while let Some(Reverse((time_us, _, event))) = self.events.pop() {
            self.now_us = time_us;
            match event {
                Event::Computed { worker, task } => {
                    if !self.on_computed(worker, task) {
                        recorder.on_diverged();
                        break;
                    }
                }
                Event::Arrived { worker, task } => self.on_arrival(worker, task, recorder),
                Event::LossDetected { worker, task } => {
                    if self.is_in_flight(worker, task) {
                        self.server.leave(worker);
                        self.on_join(worker, true);
                    }
                }
                Event::Returned { worker } => self.on_join(worker, true),
            }
            if recorder.received() >= updates || self.server.is_finished() {
                break;
            }
        }
        recorder.end(self.now_us, &self.server.parameters());
        recorder.on_server_stats(self.server.verification(), self.server.weights());
        recorder.on_difference_bits(self.server.difference_bits());
        recorder.on_task_images(self.sizing.as_ref().map(TaskSizing::mean_images));
    }

    fn schedule(&mut self, after_us: u64, event: Event) {
        self.scheduled += 1;
        self.events.push(Reverse((
            self.now_us.saturating_add(after_us),
            self.scheduled,
            event,
        )));
    }

    fn is_in_flight(&self, worker: usize, task: TaskId) -> bool {
        self.in_flight[worker]
            .as_ref()
            .is_some_and(|in_flight| in_flight.task.id == task)
    }

    fn latency_us(&mut self, worker: usize) -> u64 {
        let time_s = self.network.latency_s * self.rngs[worker].lognormal(self.network.spread);
        (time_s * US_PER_S) as u64
    }

    fn on_join(&mut self, worker: usize, known: bool) {
        self.server.join(worker, known);
        if let Some(sizing) = &mut self.sizing {
            sizing.on_join(worker);
        }
        self.issue(worker);
    }

    fn issue(&mut self, worker: usize) {
        let minibatch = self.pool.batch();
        let sizing = self.sizing.as_ref();
        let images = sizing.map_or(minibatch, |sizing| sizing.next_images(worker));
        let (task, x) = self.server.next_task(worker, images);
        let line_us = self.latency_us(worker);
        let minibatch_us = self.workers[worker].timing.sample_task_us();
        let computing_us = minibatch_us.saturating_mul(images.into()) / u64::from(minibatch);
        self.in_flight[worker] = Some(InFlightTask {
            task,
            x,
            updates: self.server.snapshot_updates(),
            sent_us: self.now_us,
            line_us,
        });
        self.schedule(
            line_us.saturating_add(computing_us),
            Event::Computed {
                worker,
                task: task.id,
            },
        );
    }

    /// Returns whether the parameters are still finite.
    fn on_computed(&mut self, worker: usize, task: TaskId) -> bool {
        if !self.is_in_flight(worker, task) {
            return true;
        }
        let in_flight = self.in_flight[worker]
            .as_ref()
            .expect("the task is in flight");
        if !self.pool.compute_update(
            worker,
            &mut self.workers[worker],
            &in_flight.task,
            &in_flight.x,
        ) {
            return false;
        }
        let NetworkModel {
            loss,
            duplication,
            delay,
            rejoin_s,
            ..
        } = self.network;
        if self.rngs[worker].bernoulli(loss) {
            self.schedule(
                (rejoin_s * US_PER_S) as u64,
                Event::LossDetected { worker, task },
            );
            return true;
        }
        let late_us = if self.rngs[worker].bernoulli(delay) {
            self.late_us as u64
        } else {
            0
        };
        let latency_us = self.latency_us(worker);
        if let Some(in_flight) = &mut self.in_flight[worker] {
            in_flight.line_us = in_flight.line_us.saturating_add(latency_us);
        }
        self.schedule(
            latency_us.saturating_add(late_us),
            Event::Arrived { worker, task },
        );
        if self.rngs[worker].bernoulli(duplication) {
            let latency_us = self.latency_us(worker).saturating_add(late_us);
            self.schedule(latency_us, Event::Arrived { worker, task });
        }
        true
    }

    fn on_arrival(&mut self, worker: usize, task: TaskId, recorder: &mut MetricsRecorder<'_>) {
        if !self.is_in_flight(worker, task) {
            recorder.on_duplicate();
            return;
        }
        let in_flight = self.in_flight[worker]
            .take()
            .expect("the task is in flight");
        let staleness = self.server.updates() - in_flight.updates;
        let sent = &self.workers[worker].update;
        let update = ReceivedUpdate {
            task: &in_flight.task,
            x_sent: &in_flight.x,
            staleness,
            signs: &sent.signs,
            vector: &sent.vector,
        };
        let outcome = self.server.receive(worker, update);
        recorder.on_update(self.workers[worker].is_byzantine(), staleness);
        if let Some(sizing) = &mut self.sizing {
            let seconds = |us: u64| us as f64 / US_PER_S;
            let times = UpdateTimes {
                round_trip_s: seconds(in_flight.line_us),
                since_sent_s: seconds(self.now_us - in_flight.sent_us),
            };
            sizing.on_update(worker, in_flight.task.images, times);
        }
        if recorder.is_due() {
            recorder.point_if_due(self.now_us, &self.server.parameters());
        }
        match outcome {
            UpdateOutcome::Ejected => self.on_ejected(worker, recorder),
            UpdateOutcome::Accepted => match self.workers[worker].timing.sample_absence_us() {
                None => self.issue(worker),
                Some(away_us) => {
                    self.server.leave(worker);
                    self.schedule(away_us, Event::Returned { worker });
                }
            },
        }
    }

    fn on_ejected(&mut self, worker: usize, recorder: &mut MetricsRecorder<'_>) {
        recorder.on_ejected(self.workers[worker].is_byzantine());
        if let Some(attacker) = &mut self.workers[worker].attacker
            && attacker.kind().rejoins()
        {
            attacker.reset_identity();
            self.on_join(worker, false);
        }
    }
}
