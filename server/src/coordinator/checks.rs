//! Answers computed again, on a thread of their own.
//!
//! When a volunteer's tracker is reset, and after each check, the coordinator draws in secret which of the answers to come
//! is checked next, if any. Up to that answer, tasks and answers are kept with the parameters they belong to; then they go
//! to the checker, which computes them all again and says whether they are right. The coordinator never waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use cpu_time::ThreadTime;
use farsign::dataset::Dataset;
use farsign::recomputation::{Chain, Picked, Recomputation, Segment, pick};
use farsign::sign::SignBits;
use farsign::task::{RunSettings, Task, TaskId, VolunteerId};

use super::kept::Kept;
use super::member::Member;
use super::snapshot::Snapshot;
use crate::admission::identity::Identity;

/// Chains that may wait for the checker; further ones are given up and counted.
const QUEUE: usize = 1024;

/// How answers are checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CheckOptions {
    /// Probability with which an answer of a volunteer of long standing is picked, above 0 and at most 1.
    pub share: f64,
    /// Share of one core that checks may take, 0.001 to 1.
    pub cpu_share: f64,
    /// Bytes that answers waiting for their check may hold.
    pub memory_bytes: usize,
}

/// What checks did since the server started.
#[derive(Debug, Default)]
pub struct CheckCounters {
    /// Checks that found every answer right, once the coordinator knows.
    pub passed: AtomicU64,
    /// Checks that found a wrong one, once the coordinator has done what follows from it.
    pub failed: AtomicU64,
    /// Checks given up because too many were waiting, in number or in bytes.
    pub skipped: AtomicU64,
    /// Answers computed again.
    pub recomputed: AtomicU64,
    /// Time of a core that took, in microseconds.
    pub busy_us: AtomicU64,
}

impl CheckCounters {
    /// Whatever follows from a check is done.
    pub fn settled(&self, right: bool) {
        let verdict = if right { &self.passed } else { &self.failed };
        verdict.fetch_add(1, Ordering::Relaxed);
    }
}

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Whose answers they were.
    pub volunteer: VolunteerId,
    /// Who that is, if it said so.
    pub identity: Option<Identity>,
    /// The last task of the chain.
    pub last: TaskId,
    /// The task whose answer is wrong; none when all are right.
    pub wrong: Option<TaskId>,
}

/// The coordinator's side of the checker.
#[derive(Debug)]
pub struct Checks {
    options: CheckOptions,
    jobs: SyncSender<Job>,
    kept: Kept,
    counters: Arc<CheckCounters>,
}

#[derive(Debug)]
struct Job {
    volunteer: VolunteerId,
    identity: Option<Identity>,
    segment: Segment,
}

/// A volunteer's answers that are on their way to a check. While a check of it is waiting or under way, there is no further
/// one, so a busy checker gets slower and never further behind; what is picked meanwhile waits for the next.
#[derive(Debug, Default)]
pub struct Unchecked {
    /// Whether the checker has answers of it.
    checking: bool,
    chain: Chain,
}

impl Unchecked {
    /// Whether the checker has answers of it.
    pub fn is_checking(&self) -> bool {
        self.checking
    }

    /// The checker is done with what it had.
    pub fn checked(&mut self) {
        self.checking = false;
    }
}

impl Checks {
    /// Starts the checker; what it finds goes to `report`.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        options: CheckOptions,
        run: RunSettings,
        data: Arc<Dataset>,
        counters: Arc<CheckCounters>,
        report: impl Fn(Checked) -> bool + Send + 'static,
    ) -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel(QUEUE);
        let kept = Kept::new(options.memory_bytes, run.directions.parameters());
        let checker =
            Checker { recomputation: Recomputation::new(run, data), cpu_share: options.cpu_share, counters };
        let counters = Arc::clone(&checker.counters);
        thread::Builder::new().name("checker".into()).spawn(move || checker.run(&queue, report))?;
        Ok(Self { options, jobs, kept, counters })
    }

    /// A task was issued, against a snapshot that was sent in half precision or not. `draw` gives unpredictable bits.
    pub fn issued(
        &mut self,
        member: &mut Member,
        task: &Task,
        snapshot: &Snapshot,
        draw: impl FnOnce() -> u64,
    ) {
        let Member { unchecked, trust, who, .. } = member;
        if task.reset_tracker {
            unchecked.chain = Chain::until(pick(trust.check_share(self.options.share), draw()));
        }
        if !unchecked.chain.is_kept() {
            return;
        }
        let half = who.abilities.half_snapshots;
        match self.kept.parameters(snapshot.version, half, || snapshot.encoded.as_sent(half)) {
            Some(x) => unchecked.chain.issued(task, || x),
            None => self.give_up(unchecked),
        }
    }

    /// The open task of a volunteer was answered. Sends what is kept off when it is this answer that is to be checked.
    ///
    /// # Errors
    /// When the checker is no more.
    pub fn answered(
        &mut self,
        volunteer: VolunteerId,
        member: &mut Member,
        signs: &SignBits,
        draw: impl FnOnce() -> u64,
    ) -> Result<(), CheckerIsGone> {
        let Member { unchecked, trust, who, .. } = member;
        let (share, kept) = (trust.check_share(self.options.share), &mut self.kept);
        let next = || kept.has_room().then(|| pick(share, draw())).flatten();
        let segment = match unchecked.chain.answered(signs, !unchecked.checking, next) {
            Picked::Check(segment) => segment,
            Picked::GivenUp => {
                self.give_up(unchecked);
                return Ok(());
            }
            Picked::No | Picked::Kept => return Ok(()),
        };
        if unchecked.chain.is_kept() && segment.answered[0].task.reset_tracker {
            self.kept.tracker(&segment.tracker);
        }
        match self.jobs.try_send(Job { volunteer, identity: who.identity, segment }) {
            Ok(()) => unchecked.checking = true,
            Err(TrySendError::Full(_)) => self.give_up(unchecked),
            Err(TrySendError::Disconnected(_)) => return Err(CheckerIsGone),
        }
        Ok(())
    }

    /// Until its next reset, nothing more of this volunteer is checked.
    fn give_up(&self, unchecked: &mut Unchecked) {
        self.counters.skipped.fetch_add(1, Ordering::Relaxed);
        unchecked.chain = Chain::default();
    }
}

/// The thread that checks has ended, so that nothing would be checked any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a thread that checks answers, found that it has ended")]
pub struct CheckerIsGone;

struct Checker {
    recomputation: Recomputation,
    cpu_share: f64,
    counters: Arc<CheckCounters>,
}

impl Checker {
    /// Checks until the coordinator is gone.
    fn run(mut self, queue: &Receiver<Job>, report: impl Fn(Checked) -> bool) {
        while let Ok(job) = queue.recv() {
            let begun = ThreadTime::now(); // not the clock's: waiting for a core is no work
            let checked = self.check(&job);
            drop(job); // its memory is free before the rest
            let busy = begun.elapsed();
            self.counters.busy_us.fetch_add(busy.as_micros() as u64, Ordering::Relaxed);
            if !report(checked) {
                return;
            }
            thread::sleep(busy.mul_f64(1.0 / self.cpu_share - 1.0));
        }
    }

    fn check(
        &mut self,
        Job { volunteer, identity, segment: Segment { answered, tracker } }: &Job,
    ) -> Checked {
        // Only this thread has it at work, and one that panicked with it would be no more.
        let tracker = &mut tracker.lock().expect("nobody panics with it");
        let wrong = self.recomputation.first_wrong(answered, tracker);
        let recomputed = wrong.map_or(answered.len(), |wrong| wrong + 1) as u64;
        self.counters.recomputed.fetch_add(recomputed, Ordering::Relaxed);
        let last = answered[answered.len() - 1].task.id;
        let wrong = wrong.map(|wrong| answered[wrong].task.id);
        Checked { volunteer: *volunteer, identity: *identity, last, wrong }
    }
}
