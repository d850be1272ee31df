//! Event counters that every task may increment without a lock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use farsign::task::{GoodbyeReason, RejectReason};

/// Counters since the server started. The component that observes an event increments; the status reads.
#[derive(Debug, Default)]
pub struct Counters {
    rejected_updates: [AtomicU64; RejectReason::ALL.len()],
    sessions_ended: [AtomicU64; GoodbyeReason::ALL.len()],
    /// Results of verification.
    pub verification: Arc<VerificationCounters>,
    /// Bytes of received WebSocket messages.
    pub received_bytes: AtomicU64,
    /// Bytes of sent WebSocket messages.
    pub sent_bytes: AtomicU64,
}

impl Counters {
    /// Counts a rejected update.
    pub fn update_rejected(&self, reason: RejectReason) {
        self.rejected_updates[index_of(RejectReason::ALL, reason)].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a session that the server ended.
    pub fn session_ended(&self, reason: GoodbyeReason) {
        self.sessions_ended[index_of(GoodbyeReason::ALL, reason)].fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the number of rejected updates for every reason.
    pub fn rejected_by_reason(&self) -> BTreeMap<&'static str, u64> {
        let names = RejectReason::ALL.iter().map(|reason| reason.name());
        names
            .zip(
                self.rejected_updates
                    .iter()
                    .map(|count| count.load(Ordering::Relaxed)),
            )
            .collect()
    }

    /// Returns the number of sessions that the server ended, for every reason.
    pub fn sessions_ended_by_reason(&self) -> BTreeMap<&'static str, u64> {
        let names = GoodbyeReason::ALL.iter().map(|reason| reason.name());
        names
            .zip(
                self.sessions_ended
                    .iter()
                    .map(|count| count.load(Ordering::Relaxed)),
            )
            .collect()
    }
}

fn index_of<T: PartialEq>(all: &[T], reason: T) -> usize {
    all.iter()
        .position(|other| *other == reason)
        .expect("ALL lists every reason")
}

/// Counters of verification since the server started.
#[derive(Debug, Default)]
pub struct VerificationCounters {
    /// Verifications that found every update correct, counted once the coordinator has handled them.
    pub passed: AtomicU64,
    /// Verifications that found a false update, counted once the coordinator has handled them.
    pub failed: AtomicU64,
    /// Verifications skipped because the queue or its memory was full.
    pub skipped: AtomicU64,
    /// Recomputed updates.
    pub recomputed: AtomicU64,
    /// Images of recomputed updates.
    pub images: AtomicU64,
    /// CPU time of verification, in microseconds.
    pub cpu_us: AtomicU64,
}

/// Numbers of verdicts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VerdictCounts {
    /// Verifications that found every update correct.
    pub passed: u64,
    /// Verifications that found a false update.
    pub failed: u64,
    /// Verifications that were not done.
    pub skipped: u64,
}

impl VerificationCounters {
    /// Counts a verification whose consequences are done.
    pub fn record_outcome(&self, passed: bool) {
        let counter = if passed { &self.passed } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the numbers of verdicts.
    pub fn verdicts(&self) -> VerdictCounts {
        VerdictCounts {
            passed: self.passed.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            skipped: self.skipped.load(Ordering::Relaxed),
        }
    }

    /// Takes over the numbers of verdicts that the learner of another process has counted.
    pub fn set_verdicts(&self, verdicts: VerdictCounts) {
        self.passed.store(verdicts.passed, Ordering::Relaxed);
        self.failed.store(verdicts.failed, Ordering::Relaxed);
        self.skipped.store(verdicts.skipped, Ordering::Relaxed);
    }

    /// Counts a skipped verification.
    pub fn record_skip(&self) {
        self.skipped.fetch_add(1, Ordering::Relaxed);
    }
}
