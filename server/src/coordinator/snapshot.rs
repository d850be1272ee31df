//! Immutable, encoded snapshots of the model, and the steps between them.

use std::sync::Arc;
use std::time::Instant;

use farsign::tolerance::Tolerance;
use farsign::training_server::TrainingServer;
use farsign::wire::{EncodedSnapshot, EncodedSteps};

/// Versions whose steps are kept. A volunteer further behind receives a snapshot.
const MAX_DELTAS: usize = 64;

/// An immutable snapshot of the model.
#[derive(Debug)]
pub struct Snapshot {
    /// Version, increasing with every snapshot.
    pub version: u64,
    /// Time of creation.
    pub made: Instant,
    /// Accepted updates in it.
    pub accepted: u64,
    /// Recently active volunteers.
    pub active: usize,
    /// Fraction of the schedule that is done. `None` if the schedule has no end.
    pub progress: Option<f64>,
    /// Estimated Byzantine tolerance. `None` if updates are not comparable.
    pub tolerance: Option<Tolerance>,
    /// Parameters, `[d]`.
    pub x: Arc<[f32]>,
    /// Parameters as they are sent.
    pub encoded: EncodedSnapshot,
    /// Steps to the newest versions, oldest first; together fewer bytes than the parameters.
    deltas: Vec<Arc<Delta>>,
}

/// The steps from one version to the next.
#[derive(Debug)]
struct Delta {
    /// The version after these steps.
    version: u64,
    steps: EncodedSteps,
}

impl Snapshot {
    /// Creates the first snapshot of this process.
    pub(super) fn initial(training: &TrainingServer) -> Self {
        Self::encode(training, None, Vec::new())
    }

    /// Creates the snapshot of the newest publication, which `steps` lead to.
    pub(super) fn advance(
        &self,
        training: &TrainingServer,
        steps: EncodedSteps,
        tolerance: Option<Tolerance>,
    ) -> Self {
        let version = training.publication().version;
        let mut deltas = self.deltas.clone();
        deltas.push(Arc::new(Delta { version, steps }));
        evict_unreachable(&mut deltas, 4 * self.x.len());
        Self::encode(training, tolerance, deltas)
    }

    fn encode(
        training: &TrainingServer,
        tolerance: Option<Tolerance>,
        deltas: Vec<Arc<Delta>>,
    ) -> Self {
        let optimizer = training.optimizer();
        let publication = training.publication();
        let x = Arc::clone(&publication.x);
        Self {
            version: publication.version,
            made: Instant::now(),
            accepted: publication.accepted,
            active: optimizer.active(),
            progress: optimizer.progress(),
            tolerance,
            encoded: EncodedSnapshot::new(publication.version, Arc::clone(&x)),
            x,
            deltas,
        }
    }

    /// Returns the steps since a version. `None` if they are unknown or take more bytes than the parameters.
    pub fn deltas_since(
        &self,
        version: u64,
    ) -> Option<impl Iterator<Item = &EncodedSteps> + Clone> {
        let first = self
            .deltas
            .iter()
            .position(|delta| delta.version == version + 1)?;
        Some(self.deltas[first..].iter().map(|delta| &delta.steps))
    }

    /// Returns whether the run is finished.
    pub fn is_finished(&self) -> bool {
        self.progress == Some(1.0)
    }
}

/// Keeps the newest deltas that together take fewer bytes than a snapshot.
fn evict_unreachable(deltas: &mut Vec<Arc<Delta>>, snapshot_bytes: usize) {
    let mut bytes = 0;
    let fits = |delta: &&Arc<Delta>| {
        bytes += delta.steps.bytes();
        bytes < snapshot_bytes
    };
    let kept = deltas
        .iter()
        .rev()
        .take(MAX_DELTAS)
        .take_while(fits)
        .count();
    deltas.drain(..deltas.len() - kept);
}
