//! Answers computed again, on a thread of their own.
//!
//! When a volunteer's tracker is reset, the coordinator draws in secret which of the answers to come is checked, if any.
//! Up to that answer, tasks and answers are kept with the parameters they belong to; then they go to the checker, which
//! computes them all again and says whether they are right. The coordinator never waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use cpu_time::ThreadTime;
use farsign::dataset::Dataset;
use farsign::recomputation::{Answered, Chain, Recomputation, pick};
use farsign::sign::SignBits;
use farsign::task::{RunSettings, Task, TaskId, VolunteerId};

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
    /// Share of one core that checks may take, above 0 and at most 1.
    pub cpu_share: f64,
    /// Bytes that answers waiting for their check may hold.
    pub memory_bytes: usize,
}

/// What checks did since the server started.
#[derive(Debug, Default)]
pub struct CheckCounters {
    /// Checks that found every answer right.
    pub passed: AtomicU64,
    /// Checks that found a wrong one.
    pub failed: AtomicU64,
    /// Checks given up because too many were waiting, in number or in bytes.
    pub skipped: AtomicU64,
    /// Answers computed again.
    pub recomputed: AtomicU64,
    /// Time of a core that took, in microseconds.
    pub busy_us: AtomicU64,
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
    /// Bytes of parameters held for checks to come.
    held_bytes: Arc<AtomicUsize>,
    counters: Arc<CheckCounters>,
}

#[derive(Debug)]
struct Job {
    volunteer: VolunteerId,
    identity: Option<Identity>,
    answered: Vec<Answered>,
    /// Given back with the job.
    _held: Option<Held>,
}

/// A volunteer's answers that are on their way to a check. While a check of it is waiting or under way, no further one
/// is picked, so a busy checker gets slower and never further behind.
#[derive(Debug, Default)]
pub struct Unchecked {
    /// Whether the checker has answers of it.
    checking: bool,
    chain: Chain,
    held: Option<Held>,
}

/// Bytes that are given back when the chain is dropped.
#[derive(Debug)]
struct Held {
    bytes: usize,
    of: Arc<AtomicUsize>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.of.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Unchecked {
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
        let checker =
            Checker { recomputation: Recomputation::new(run, data), cpu_share: options.cpu_share, counters };
        let counters = Arc::clone(&checker.counters);
        thread::Builder::new().name("checker".into()).spawn(move || checker.run(&queue, report))?;
        Ok(Self { options, jobs, held_bytes: Arc::default(), counters })
    }

    /// A task was issued, against a snapshot that was sent in half precision or not. `draw` gives unpredictable bits.
    pub fn issued(&self, member: &mut Member, task: &Task, snapshot: &Snapshot, draw: impl FnOnce() -> u64) {
        let Member { unchecked, trust, who, .. } = member;
        if task.reset_tracker {
            let picked = |()| pick(trust.check_share(self.options.share), draw());
            let position = (!unchecked.checking).then_some(()).and_then(picked);
            *unchecked =
                Unchecked { chain: Chain::until(position), checking: unchecked.checking, held: None };
        }
        if unchecked.chain.is_kept() {
            self.hold(unchecked, 4 * snapshot.x.len());
        }
        unchecked.chain.issued(task, || snapshot.encoded.as_sent(who.abilities.half_snapshots));
    }

    /// The open task of a volunteer was answered. Sends the chain off when it is this answer that is to be checked.
    pub fn answered(&self, volunteer: VolunteerId, member: &mut Member, signs: &SignBits) {
        let Member { unchecked, who, .. } = member;
        if let Some(answered) = unchecked.chain.answered(signs) {
            let job = Job { volunteer, identity: who.identity, answered, _held: unchecked.held.take() };
            unchecked.checking = self.jobs.try_send(job).is_ok();
            if !unchecked.checking {
                self.counters.skipped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Counts what one more answer holds; gives the chain up when that is too much.
    fn hold(&self, unchecked: &mut Unchecked, bytes: usize) {
        let held = unchecked.held.get_or_insert_with(|| Held { bytes: 0, of: Arc::clone(&self.held_bytes) });
        if self.held_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > self.options.memory_bytes {
            self.held_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.counters.skipped.fetch_add(1, Ordering::Relaxed);
            *unchecked = Unchecked { checking: unchecked.checking, ..Unchecked::default() };
        } else {
            held.bytes += bytes;
        }
    }
}

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

    fn check(&mut self, Job { volunteer, identity, answered, .. }: &Job) -> Checked {
        let wrong = self.recomputation.first_wrong(answered);
        let recomputed = wrong.map_or(answered.len(), |wrong| wrong + 1) as u64;
        self.counters.recomputed.fetch_add(recomputed, Ordering::Relaxed);
        let verdict = if wrong.is_some() { &self.counters.failed } else { &self.counters.passed };
        verdict.fetch_add(1, Ordering::Relaxed);
        let last = answered[answered.len() - 1].task.id;
        let wrong = wrong.map(|wrong| answered[wrong].task.id);
        Checked { volunteer: *volunteer, identity: *identity, last, wrong }
    }
}
