//! The one task that owns the optimizer.
//!
//! Sessions send it commands through a bounded queue; everyone else reads the immutable [`Snapshot`] it publishes.
//! It takes what has queued up, applies it message by message in order of arrival, makes a snapshot of it, and issues
//! the next tasks against that, so that each is issued against parameters that hold all of it. (With many
//! active volunteers it does not make one each time: [`answers_between_snapshots`].) Where the run is saved it then waits until all of
//! that is on disk, while further commands queue up. Only then is anything published or told.

mod checks;
mod conduct;
mod credits;
mod departure;
mod durable;
mod handle;
mod kept;
mod member;
mod removals;
mod roster;
mod snapshot;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use farsign::assignment::{Assigner, VolunteerAssignment, answers_between_snapshots};
use farsign::dataset::Dataset;
use farsign::optimizer::{Contribution, FarSign};
use farsign::safety::Agreement;
use farsign::sign::{SignBits, SignBitsError};
use farsign::task::{GoodbyeReason, RejectReason, TaskId, VolunteerId};
use farsign::trust::TrustMean;
use farsign::wire::EncodedSteps;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::Rng;
use tokio::sync::{mpsc, oneshot, watch};

use crate::admission::Admission;
use crate::admission::identity::Identity;
use crate::config::Config;
use crate::counters::Counters;
use crate::effort::Effort;
use crate::ledger::Ledger;
use crate::store::StoreError;
use crate::store::event::{Accepted, Credit, Cursor, Event};
use crate::store::run::SavedRun;

use checks::{CheckerIsGone, Checks};
use conduct::{Heard, Lately};
use credits::Credits;
use durable::Durable;
use handle::Command;
use member::Member;
use removals::Removals;

pub use checks::{CheckCounters, CheckOptions};
pub use departure::Whom;
pub use handle::{Handle, Joined, NextTask, Outcome, Stopped};
pub use member::Newcomer;
pub use removals::Removal;
pub use roster::{Listed, Roster};
pub use snapshot::Snapshot;

/// Commands that may wait; a session whose command finds no room waits with it, and so does its volunteer.
const QUEUE: usize = 1024;

/// Commands taken at once, before any of them is replied to.
const MOST_AT_ONCE: usize = 256;

/// State of the task. Nothing of it is shared.
#[derive(Debug)]
pub struct Coordinator {
    queue: mpsc::Receiver<Command>,
    optimizer: FarSign,
    assigner: Assigner,
    ledger: Ledger,
    members: HashMap<VolunteerId, Member>,
    /// Which of the members is who, for those who say so.
    present: HashMap<Identity, VolunteerId>,
    /// What those have earned who left.
    credits: Credits,
    /// Hears of liars.
    admission: Arc<Admission>,
    joined: u64,
    /// That of who joins from now on.
    effort: Effort,
    /// Under `verified`, answers are computed again.
    checks: Option<Checks>,
    /// Whether nothing is checked any more, though it should be.
    checker_gone: bool,
    /// Those who left while a check of them was under way.
    departed: HashMap<VolunteerId, Member>,
    trust_mean: TrustMean,
    /// How often answers agree; changes nothing, and is only told.
    agreement: Agreement,
    /// What all answers weighed of late; the same.
    weight: Lately,
    removals: Removals,
    /// Draws what a volunteer must not be able to guess.
    seeds: ChaCha12Rng,
    snapshots: watch::Sender<Arc<Snapshot>>,
    /// The newest snapshot, which tasks are issued against. It is published once it is saved.
    latest: Arc<Snapshot>,
    /// Steps that are in no snapshot yet.
    steps: EncodedSteps,
    /// Accepted answers at which the next snapshot is made; 0 when one is to be made as soon as there are steps.
    snapshot_at: u64,
    durable: Durable,
    counters: Arc<Counters>,
}

/// A reply that waits until there is a snapshot with everything before it.
enum Pending {
    Joined(Newcomer, oneshot::Sender<Option<Joined>>),
    Answered {
        volunteer: VolunteerId,
        verdict: Result<u64, RejectReason>,
        closed: bool,
        reply: oneshot::Sender<Outcome>,
    },
    Rested(VolunteerId, oneshot::Sender<Option<NextTask>>),
}

/// A reply that waits until it is saved. Whoever asked may be gone when it is told; the session's leave follows then.
enum Reply {
    Joined(oneshot::Sender<Option<Joined>>, Option<Joined>),
    Answered(oneshot::Sender<Outcome>, Outcome),
    Rested(oneshot::Sender<Option<NextTask>>, Option<NextTask>),
}

impl Reply {
    fn tell(self) {
        match self {
            Self::Joined(reply, joined) => _ = reply.send(joined),
            Self::Answered(reply, outcome) => _ = reply.send(outcome),
            Self::Rested(reply, next) => _ = reply.send(next),
        }
    }
}

/// The coordinator of a run, which does nothing until it is [run](Coordinator::run), and the way to it. What checks its
/// answers has a thread of its own. A run that is `saved` goes on where it was; else it begins, and is not saved.
///
/// # Errors
/// When the system gives no thread.
pub fn new(
    config: &Config,
    train: &Arc<Dataset>,
    counters: Arc<Counters>,
    admission: Arc<Admission>,
    saved: Option<SavedRun>,
) -> std::io::Result<(Coordinator, Handle)> {
    let (mut seeds, mut trust_mean) = (config.seeds.tasks.clone(), TrustMean::default());
    let mut kept = Credits::default();
    let (optimizer, Cursor { joined, issued, version, window, .. }, durable) = match saved {
        None => (FarSign::new(config.optimizer()), Cursor::default(), Durable::default()),
        Some(SavedRun { optimizer, cursor, unsaved, credits, writer, checkpoint_every }) => {
            seeds.set_word_pos(cursor.words_drawn);
            trust_mean = TrustMean(cursor.trust_mean);
            let accepted = optimizer.accepted();
            // What was saved may be more than the snapshot that was last told of: the first one now is another.
            let cursor = Cursor { version: cursor.version + 1, ..cursor };
            let mut durable = Durable::new(writer, unsaved, cursor, checkpoint_every, accepted);
            for (identity, credit) in credits {
                durable.note_credit(kept.keep(identity, credit), None);
            }
            (optimizer, cursor, durable)
        }
    };
    let (commands, queue) = mpsc::channel(QUEUE);
    let latest = Arc::new(Snapshot::first(&optimizer, version));
    let (snapshots, published) = watch::channel(Arc::clone(&latest));
    let checks = config.checks.map(|options| {
        let (run, counters) = (config.run.clone(), Arc::clone(&counters.checks));
        // Held weakly, or the queue would never close while the checker waits for work.
        let commands = commands.downgrade();
        let report = move |checked| {
            commands
                .upgrade()
                .is_some_and(|commands| commands.blocking_send(Command::Checked(checked)).is_ok())
        };
        Checks::start(options, run, Arc::clone(train), counters, report)
    });
    let coordinator = Coordinator {
        queue,
        optimizer,
        assigner: Assigner::resumed(config.assignment, window),
        ledger: Ledger::resumed(issued),
        members: HashMap::new(),
        present: HashMap::new(),
        credits: kept,
        admission,
        joined,
        effort: Effort::FULL,
        checks: checks.transpose()?,
        checker_gone: false,
        departed: HashMap::new(),
        trust_mean,
        agreement: Agreement::new(config.run.directions, config.run.order, config.assignment.rule),
        weight: Lately::new(Instant::now()),
        removals: Removals::default(),
        seeds,
        snapshots,
        latest,
        steps: EncodedSteps::default(),
        snapshot_at: 0,
        durable,
        counters,
    };
    Ok((coordinator, Handle { commands, snapshots: published }))
}

/// Why a coordinator ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum CoordinatorError {
    /// Nobody was told anything that is not saved.
    #[error("the run cannot be saved: {0}")]
    Store(#[from] StoreError),
    /// Nobody's answers would be checked.
    #[error(transparent)]
    Checker(#[from] CheckerIsGone),
}

impl Coordinator {
    /// Takes commands until it is told to stop, or nobody is left to give any.
    ///
    /// It shares the threads of the sessions, and takes an answer as soon as it comes: to wake another thread for each
    /// would cost more than all it does.
    ///
    /// # Errors
    /// When the run could not be saved: whoever waits for a reply then gets none, and nobody else does from then on. When
    /// nothing would be checked any more.
    pub async fn run(mut self) -> Result<(), CoordinatorError> {
        let (mut commands, mut pending) = (Vec::with_capacity(MOST_AT_ONCE), Vec::new());
        let mut replies = Vec::new();
        while self.queue.recv_many(&mut commands, MOST_AT_ONCE).await > 0 {
            if commands.iter().any(|command| matches!(command, Command::Stop)) {
                self.queue.close(); // what is queued is still taken, nothing else is
            }
            pending.extend(commands.drain(..).filter_map(|command| self.take(command)));
            self.make_snapshot();
            replies.extend(pending.drain(..).map(|pending| self.prepare(pending)));
            self.durable.save(self.cursor(), &self.optimizer).await?;
            self.publish();
            replies.drain(..).for_each(Reply::tell);
            if self.checker_gone {
                break;
            }
        }
        self.durable.close().await;
        if self.checker_gone { Err(CheckerIsGone.into()) } else { Ok(()) }
    }

    /// What decides the tasks to come, besides the optimizer.
    fn cursor(&self) -> Cursor {
        Cursor {
            joined: self.joined,
            issued: self.ledger.issued(),
            version: self.latest.version,
            trust_mean: self.trust_mean.0,
            words_drawn: self.seeds.get_word_pos(),
            window: self.assigner.window(),
        }
    }

    fn take(&mut self, command: Command) -> Option<Pending> {
        match command {
            Command::Join { who, reply } => {
                self.snapshot_at = 0;
                Some(Pending::Joined(who, reply))
            }
            Command::Leave { volunteer } => {
                self.snapshot_at = 0; // it may be the last one
                self.left(volunteer);
                None
            }
            Command::Checked(checked) => {
                self.checked(checked);
                self.counters.checks.settled(checked.wrong.is_none());
                None
            }
            // Whoever asked may be gone by now.
            Command::AcceptedOf { identities, reply } => {
                _ = reply.send(self.accepted_of(&identities));
                None
            }
            Command::List { reply } => {
                _ = reply.send(self.roster(Instant::now()));
                None
            }
            Command::Remove { whom, reason, reply } => {
                _ = reply.send(self.remove(whom, reason));
                None
            }
            Command::SetEffort { whom, effort, reply } => {
                _ = reply.send(self.set_effort(whom, effort));
                None
            }
            Command::Rested { volunteer, reply } => Some(Pending::Rested(volunteer, reply)),
            Command::Stop => None,
            Command::Answer { volunteer, task, bits, reply } => {
                let settled = self.ledger.answer(volunteer, task);
                let closed = settled.is_ok();
                let verdict = settled.and_then(|seed| self.apply(volunteer, task, seed, &bits));
                if let Err(reason) = verdict {
                    self.counters.rejected(reason);
                    let (task, reason) = (task.0, reason.name());
                    tracing::debug!(event = "rejected", volunteer = volunteer.0, task, reason, "not applied");
                    self.restart(volunteer, closed);
                }
                Some(Pending::Answered { volunteer, verdict, closed, reply })
            }
        }
    }

    fn apply(
        &mut self,
        volunteer: VolunteerId,
        task: TaskId,
        direction_seed: u64,
        bits: &[u8],
    ) -> Result<u64, RejectReason> {
        let signs = SignBits::from_bytes(bits, self.optimizer.directions()).map_err(|error| match error {
            SignBitsError::Length { .. } => RejectReason::WrongBitCount,
            SignBitsError::Spare { .. } => RejectReason::SpareBitsSet,
        })?;
        let member = self.members.get_mut(&volunteer).ok_or(RejectReason::UnknownTask)?;
        let trust = if self.checks.is_some() { self.trust_mean.relative(member.trust) } else { 1.0 };
        let contribution = Contribution { volunteer, direction_seed, trust, signs: &signs };
        // The rest was just checked; what is left is that the run finished while this answer was on its way.
        let applied = self.optimizer.apply(contribution).map_err(|_| RejectReason::RunFinished)?;
        self.steps.push(self.optimizer.last_step());
        let (message, weight) = (applied.message, applied.weight);
        let agreement = self.agreement.hear(volunteer, message, member.conduct.issued_at(), &signs);
        let now = Instant::now();
        self.weight.add(now, f64::from(weight));
        member.conduct.answered(now, Heard { message, weight, agreement });
        member.accepted += 1;
        self.durable.note_credit(member.who.identity, Some(member.credit()));
        self.durable.note(|| {
            Event::Accepted(Accepted { volunteer, task, direction_seed, trust, signs: signs.clone() })
        });
        if let Some(checks) = &mut self.checks {
            member.moves.push(task, self.optimizer.last_step());
            let seeds = &mut self.seeds;
            self.checker_gone |= checks.answered(volunteer, member, &signs, || seeds.next_u64()).is_err();
        }
        Ok(applied.message)
    }

    /// After an answer that closed its task without being one, the tracker of the volunteer is unknown.
    fn restart(&mut self, volunteer: VolunteerId, closed: bool) {
        if closed && let Some(member) = self.members.get_mut(&volunteer) {
            member.assignment = VolunteerAssignment::default();
        }
    }

    /// Makes a snapshot if one is due.
    fn make_snapshot(&mut self) {
        let accepted = self.optimizer.accepted();
        let due = accepted >= self.snapshot_at || self.optimizer.is_finished();
        if self.steps.bytes() == 0 || !due {
            return;
        }
        self.snapshot_at = accepted + answers_between_snapshots(self.optimizer.active());
        let steps = std::mem::take(&mut self.steps);
        self.latest = Arc::new(self.latest.next(&self.optimizer, steps, self.agreement.safety()));
        if self.latest.is_finished() {
            tracing::info!(event = "finished", accepted, "the model is finished");
        }
    }

    fn publish(&mut self) {
        if self.snapshots.borrow().version != self.latest.version {
            self.snapshots.send_replace(Arc::clone(&self.latest));
        }
    }

    fn prepare(&mut self, pending: Pending) -> Reply {
        match pending {
            Pending::Joined(who, reply) => Reply::Joined(reply, self.join(who)),
            Pending::Answered { volunteer, verdict, closed, reply } => {
                let finished = self.optimizer.is_finished();
                let goes_on = closed && !finished;
                let effort = self.members.get(&volunteer).map_or(Effort::FULL, |member| member.effort);
                let rests = goes_on && effort != Effort::FULL;
                let next = if goes_on && !rests { self.next_task(volunteer) } else { None };
                Reply::Answered(reply, Outcome { verdict, next, rest: rests.then_some(effort), finished })
            }
            Pending::Rested(volunteer, reply) => {
                let next = if self.optimizer.is_finished() { None } else { self.next_task(volunteer) };
                Reply::Rested(reply, next)
            }
        }
    }

    fn join(&mut self, who: Newcomer) -> Option<Joined> {
        if self.optimizer.is_finished() {
            return None;
        }
        self.joined += 1;
        let volunteer = VolunteerId(self.joined);
        let mut credit = Credit::default();
        if let Some(identity) = who.identity {
            self.remove(Whom::Identity(identity), GoodbyeReason::TakenOver);
            self.present.insert(identity, volunteer);
            credit = self.credits.take(identity);
        }
        let (removed, removal) = oneshot::channel();
        self.optimizer.join(volunteer);
        self.durable.note(|| Event::Join(volunteer));
        let member = Member::new(who, credit, self.effort, removed);
        member.tell_of_joining(volunteer);
        self.members.insert(volunteer, member);
        self.next_task(volunteer).map(|first| Joined { volunteer, first, removal })
    }

    /// The next task of a member.
    fn next_task(&mut self, volunteer: VolunteerId) -> Option<NextTask> {
        let member = self.members.get_mut(&volunteer)?;
        let snapshot = Arc::clone(&self.latest);
        let seeds = &mut self.seeds;
        let accepted = self.optimizer.accepted();
        let assignment = self.assigner.assign(&mut member.assignment, accepted, || seeds.next_u64());
        let task = self.ledger.issue(volunteer, assignment, snapshot.version);
        member.conduct.issued(snapshot.accepted);
        if let Some(checks) = &mut self.checks {
            checks.issued(member, &task, &snapshot, || seeds.next_u64());
        }
        Some(NextTask { task, snapshot })
    }
}
