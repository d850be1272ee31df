//! What happened, counted: by everyone, without a lock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use farsign::task::{GoodbyeReason, RejectReason};

use crate::coordinator::CheckCounters;

/// Counts since the server started. Each is written by whoever sees the event and read by the status page.
#[derive(Debug, Default)]
pub struct Counters {
    rejects: [AtomicU64; RejectReason::ALL.len()],
    goodbyes: [AtomicU64; GoodbyeReason::ALL.len()],
    /// What checks found.
    pub checks: Arc<CheckCounters>,
    /// Bytes of WebSocket messages that came in.
    pub received_bytes: AtomicU64,
    /// Bytes of WebSocket messages that went out.
    pub sent_bytes: AtomicU64,
}

impl Counters {
    /// An answer was rejected.
    pub fn rejected(&self, reason: RejectReason) {
        let index = RejectReason::ALL.iter().position(|r| *r == reason);
        self.rejects[index.expect("ALL has every reason")].fetch_add(1, Ordering::Relaxed);
    }

    /// A session was ended by the server.
    pub fn ended(&self, reason: GoodbyeReason) {
        let index = GoodbyeReason::ALL.iter().position(|r| *r == reason);
        self.goodbyes[index.expect("ALL has every reason")].fetch_add(1, Ordering::Relaxed);
    }

    /// Rejected answers by reason, all reasons.
    pub fn rejects_by_reason(&self) -> BTreeMap<&'static str, u64> {
        let names = RejectReason::ALL.iter().map(|reason| reason.name());
        names.zip(self.rejects.iter().map(|count| count.load(Ordering::Relaxed))).collect()
    }

    /// Sessions the server ended, by reason, all reasons.
    pub fn goodbyes_by_reason(&self) -> BTreeMap<&'static str, u64> {
        let names = GoodbyeReason::ALL.iter().map(|reason| reason.name());
        names.zip(self.goodbyes.iter().map(|count| count.load(Ordering::Relaxed))).collect()
    }
}
