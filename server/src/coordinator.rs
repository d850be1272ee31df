//! The one thread that owns the optimizer.
//!
//! Sessions send it commands through a bounded queue; everyone else reads the immutable [`Snapshot`] it publishes.
//! It takes what has queued up, applies it message by message in order of arrival, publishes once, and only then
//! hands out the next tasks, so that each is issued against parameters that hold all of it.

use std::sync::Arc;
use std::thread;

use axum::body::Bytes;
use farsign::assignment::{Assigner, VolunteerAssignment};
use farsign::optimizer::{Contribution, FarSign, FarSignOptions};
use farsign::sign::{SignBits, SignBitsError};
use farsign::task::{RejectReason, Task, TaskId, VolunteerId};
use farsign::wire::{EncodedSnapshot, EncodedSteps};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::Rng;
use std::collections::HashMap;
use tokio::sync::{mpsc, oneshot, watch};

use crate::config::Config;
use crate::counters::Counters;
use crate::ledger::Ledger;

/// Commands that may wait; a session whose command finds no room waits with it, and so does its volunteer.
const QUEUE: usize = 1024;

/// Commands applied before a snapshot is published at the latest.
const MOST_AT_ONCE: usize = 256;

/// Versions whose steps are kept; a volunteer further behind is sent a snapshot.
const MOST_UPDATES: usize = 64;

/// The model at one moment. Never changes.
#[derive(Debug)]
pub struct Snapshot {
    /// Rises with every publication.
    pub version: u64,
    /// Accepted contributions in it.
    pub accepted: u64,
    /// Volunteers whose contributions came lately.
    pub active: usize,
    /// Share of the schedule that is done; none when it has no end.
    pub progress: Option<f64>,
    /// The parameters, `[d]`.
    pub x: Arc<[f32]>,
    /// The parameters as they go out.
    pub encoded: EncodedSnapshot,
    /// The steps that led to the latest versions, oldest first; together fewer bytes than the parameters.
    recent: Vec<Arc<Update>>,
}

/// What led from one version to the next.
#[derive(Debug)]
struct Update {
    /// The version it led to.
    version: u64,
    steps: EncodedSteps,
}

impl Snapshot {
    /// The steps since a version, where they are known and take fewer bytes than the parameters.
    pub fn steps_since(&self, version: u64) -> Option<impl Iterator<Item = &EncodedSteps>> {
        let first = self.recent.iter().position(|update| update.version == version + 1)?;
        Some(self.recent[first..].iter().map(|update| &update.steps))
    }

    /// Whether the model is finished.
    pub fn is_finished(&self) -> bool {
        self.progress == Some(1.0)
    }
}

/// A task with the snapshot it was issued against.
#[derive(Debug)]
pub struct NextTask {
    /// What to do.
    pub task: Task,
    /// What to do it with.
    pub snapshot: Arc<Snapshot>,
}

/// What became of an answer.
#[derive(Debug)]
pub struct Outcome {
    /// The number of accepted contributions, this one included; or why it was not applied.
    pub verdict: Result<u64, RejectReason>,
    /// The next task, when the answer closed the last one and the run goes on.
    pub next: Option<NextTask>,
    /// Whether the run is finished.
    pub finished: bool,
}

enum Command {
    Join { reply: oneshot::Sender<Option<(VolunteerId, NextTask)>> },
    Answer { volunteer: VolunteerId, task: TaskId, bits: Bytes, reply: oneshot::Sender<Outcome> },
    Leave { volunteer: VolunteerId },
    Stop,
}

/// How sessions talk to the coordinator.
#[derive(Clone, Debug)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
}

/// The coordinator has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server is stopping")]
pub struct Stopped;

impl Handle {
    /// Takes up a volunteer and gives it its first task; none when the run is finished.
    ///
    /// # Errors
    /// When the coordinator has stopped.
    pub async fn join(&self) -> Result<Option<(VolunteerId, NextTask)>, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Join { reply }).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// Hands in an answer.
    ///
    /// # Errors
    /// When the coordinator has stopped.
    pub async fn answer(
        &self,
        volunteer: VolunteerId,
        task: TaskId,
        bits: Bytes,
    ) -> Result<Outcome, Stopped> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Answer { volunteer, task, bits, reply };
        self.commands.send(command).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// Forgets a volunteer.
    pub async fn leave(&self, volunteer: VolunteerId) {
        _ = self.commands.send(Command::Leave { volunteer }).await; // a stopped coordinator has forgotten everyone
    }

    /// Stops the coordinator, and waits until it has done what was asked of it before.
    pub async fn stop(&self) {
        _ = self.commands.send(Command::Stop).await; // one that has stopped already is as good
        let mut snapshots = self.snapshots.clone();
        while snapshots.changed().await.is_ok() {}
    }

    /// The newest snapshot.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }

    /// Follows the snapshots as they are published.
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }
}

/// State of the thread. Nothing of it is shared.
struct Coordinator {
    optimizer: FarSign,
    assigner: Assigner,
    ledger: Ledger,
    /// Members and what each was assigned last.
    volunteers: HashMap<VolunteerId, VolunteerAssignment>,
    joined: u64,
    /// Draws what a volunteer must not be able to guess.
    seeds: ChaCha12Rng,
    snapshots: watch::Sender<Arc<Snapshot>>,
    /// Steps since the last publication.
    steps: EncodedSteps,
    counters: Arc<Counters>,
}

/// A reply that waits until the snapshot is published.
enum Pending {
    Joined(oneshot::Sender<Option<(VolunteerId, NextTask)>>),
    Answered {
        volunteer: VolunteerId,
        verdict: Result<u64, RejectReason>,
        closed: bool,
        reply: oneshot::Sender<Outcome>,
    },
}

/// Starts the coordinator of a run in a thread of its own.
///
/// # Errors
/// When the system gives no thread.
pub fn start(config: &Config, counters: Arc<Counters>) -> std::io::Result<Handle> {
    let optimizer = FarSign::new(FarSignOptions {
        x: config.run.architecture.initial_parameters(config.seeds.parameters),
        directions: config.run.directions,
        step_size: config.step_size,
        rule: config.assignment.rule,
    });
    let (commands, queue) = mpsc::channel(QUEUE);
    let (snapshots, latest) = watch::channel(Arc::new(snapshot_of(&optimizer, 0, Vec::new())));
    let coordinator = Coordinator {
        optimizer,
        assigner: Assigner::new(config.assignment),
        ledger: Ledger::default(),
        volunteers: HashMap::new(),
        joined: 0,
        seeds: config.seeds.tasks.clone(),
        snapshots,
        steps: EncodedSteps::default(),
        counters,
    };
    thread::Builder::new().name("coordinator".into()).spawn(move || coordinator.run(queue))?;
    Ok(Handle { commands, snapshots: latest })
}

/// Keeps the latest updates that together take fewer bytes than a snapshot, which is sent to those further behind.
fn forget_what_is_of_no_use(recent: &mut Vec<Arc<Update>>, snapshot_bytes: usize) {
    let mut bytes = 0;
    let fits = |update: &&Arc<Update>| {
        bytes += update.steps.bytes();
        bytes < snapshot_bytes
    };
    let kept = recent.iter().rev().take(MOST_UPDATES).take_while(fits).count();
    recent.drain(..recent.len() - kept);
}

fn snapshot_of(optimizer: &FarSign, version: u64, recent: Vec<Arc<Update>>) -> Snapshot {
    let x: Arc<[f32]> = optimizer.x().into();
    Snapshot {
        version,
        accepted: optimizer.accepted(),
        active: optimizer.active(),
        progress: optimizer.progress(),
        encoded: EncodedSnapshot::new(version, Arc::clone(&x)),
        x,
        recent,
    }
}

impl Coordinator {
    fn run(mut self, mut queue: mpsc::Receiver<Command>) {
        let (mut commands, mut pending) = (Vec::with_capacity(MOST_AT_ONCE), Vec::new());
        while queue.blocking_recv_many(&mut commands, MOST_AT_ONCE) > 0 {
            if commands.iter().any(|command| matches!(command, Command::Stop)) {
                queue.close(); // what is queued is still taken, nothing else is
            }
            pending.extend(commands.drain(..).filter_map(|command| self.take(command)));
            self.publish();
            pending.drain(..).for_each(|reply| self.reply(reply));
        }
    }

    fn take(&mut self, command: Command) -> Option<Pending> {
        match command {
            Command::Join { reply } => Some(Pending::Joined(reply)),
            Command::Leave { volunteer } => {
                self.volunteers.remove(&volunteer);
                self.optimizer.leave(volunteer);
                self.ledger.expire(volunteer);
                None
            }
            Command::Stop => None,
            Command::Answer { volunteer, task, bits, reply } => {
                let settled = self.ledger.answer(volunteer, task);
                let closed = settled.is_ok();
                let verdict = settled.and_then(|seed| self.apply(volunteer, seed, &bits));
                if let Err(reason) = verdict {
                    self.counters.rejected(reason);
                }
                Some(Pending::Answered { volunteer, verdict, closed, reply })
            }
        }
    }

    fn apply(
        &mut self,
        volunteer: VolunteerId,
        direction_seed: u64,
        bits: &[u8],
    ) -> Result<u64, RejectReason> {
        let signs = SignBits::from_bytes(bits, self.optimizer.directions()).map_err(|error| match error {
            SignBitsError::Length { .. } => RejectReason::WrongBitCount,
            SignBitsError::Spare { .. } => RejectReason::SpareBitsSet,
        })?;
        let contribution = Contribution { volunteer, direction_seed, trust: 1.0, signs: &signs };
        // The count was just checked; what is left is that the run finished while this answer was on its way.
        let applied = self.optimizer.apply(contribution).map_err(|_| RejectReason::RunFinished)?;
        self.steps.push(self.optimizer.last_step());
        Ok(applied.message)
    }

    fn publish(&mut self) {
        if self.steps.bytes() == 0 {
            return;
        }
        let latest = Arc::clone(&self.snapshots.borrow());
        let version = latest.version + 1;
        let mut recent = latest.recent.clone();
        recent.push(Arc::new(Update { version, steps: std::mem::take(&mut self.steps) }));
        forget_what_is_of_no_use(&mut recent, 4 * latest.x.len());
        self.snapshots.send_replace(Arc::new(snapshot_of(&self.optimizer, version, recent)));
    }

    /// Whoever asked may be gone by now; the reply is dropped then, and the session's leave follows.
    fn reply(&mut self, pending: Pending) {
        match pending {
            Pending::Joined(reply) => _ = reply.send(self.join()),
            Pending::Answered { volunteer, verdict, closed, reply } => {
                let finished = self.optimizer.is_finished();
                let next = (closed && !finished).then(|| self.next_task(volunteer));
                _ = reply.send(Outcome { verdict, next, finished });
            }
        }
    }

    fn join(&mut self) -> Option<(VolunteerId, NextTask)> {
        if self.optimizer.is_finished() {
            return None;
        }
        self.joined += 1;
        let volunteer = VolunteerId(self.joined);
        self.optimizer.join(volunteer);
        self.volunteers.insert(volunteer, VolunteerAssignment::default());
        Some((volunteer, self.next_task(volunteer)))
    }

    fn next_task(&mut self, volunteer: VolunteerId) -> NextTask {
        let snapshot = Arc::clone(&self.snapshots.borrow());
        let last = self.volunteers.entry(volunteer).or_default();
        let seeds = &mut self.seeds;
        let assignment = self.assigner.assign(last, self.optimizer.accepted(), || seeds.next_u64());
        let task = self.ledger.issue(volunteer, assignment, snapshot.version);
        NextTask { task, snapshot }
    }
}
