//! The model at one moment, and what leads to it from the moments before.

use std::sync::Arc;
use std::time::Instant;

use farsign::optimizer::FarSign;
use farsign::safety::Safety;
use farsign::wire::{EncodedSnapshot, EncodedSteps};

/// Versions whose steps are kept; a volunteer further behind is sent a snapshot.
const MOST_UPDATES: usize = 64;

/// The model at one moment. Never changes.
#[derive(Debug)]
pub struct Snapshot {
    /// Rises with every publication.
    pub version: u64,
    /// When it was made.
    pub made: Instant,
    /// Accepted contributions in it.
    pub accepted: u64,
    /// Volunteers whose contributions came lately.
    pub active: usize,
    /// Share of the schedule that is done; none when it has no end.
    pub progress: Option<f64>,
    /// What the answers in it say about how many liars there may be; none where they say nothing.
    pub safety: Option<Safety>,
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
    /// The model before the first step that this process takes.
    pub(super) fn first(optimizer: &FarSign, version: u64) -> Self {
        Self::of(optimizer, version, None, Vec::new())
    }

    /// The model after `steps` more.
    pub(super) fn next(&self, optimizer: &FarSign, steps: EncodedSteps, safety: Option<Safety>) -> Self {
        let version = self.version + 1;
        let mut recent = self.recent.clone();
        recent.push(Arc::new(Update { version, steps }));
        forget_what_is_of_no_use(&mut recent, 4 * self.x.len());
        Self::of(optimizer, version, safety, recent)
    }

    fn of(optimizer: &FarSign, version: u64, safety: Option<Safety>, recent: Vec<Arc<Update>>) -> Self {
        let x: Arc<[f32]> = optimizer.x().into();
        Self {
            version,
            made: Instant::now(),
            accepted: optimizer.accepted(),
            active: optimizer.active(),
            progress: optimizer.progress(),
            safety,
            encoded: EncodedSnapshot::new(version, Arc::clone(&x)),
            x,
            recent,
        }
    }

    /// The steps since a version, where they are known and take fewer bytes than the parameters.
    pub fn steps_since(&self, version: u64) -> Option<impl Iterator<Item = &EncodedSteps> + Clone> {
        let first = self.recent.iter().position(|update| update.version == version + 1)?;
        Some(self.recent[first..].iter().map(|update| &update.steps))
    }

    /// Whether the model is finished.
    pub fn is_finished(&self) -> bool {
        self.progress == Some(1.0)
    }
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
