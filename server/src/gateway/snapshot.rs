//! Immutable snapshots of the run, and the encoded versions that sessions send.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use farsign::tolerance::Tolerance;
use farsign::version::{Grid, Version, VersionHash};
use farsign::wire::EncodedVersion;
use parking_lot::Mutex;

use crate::run::board::{Progress, PublishedVersion};

/// Earlier versions that are kept. A volunteer with an older one receives the newest as a whole.
const MAX_BASES: usize = 64;

/// Largest size of the earlier versions that are kept, in bytes; one of them is always kept.
const MAX_BASE_BYTES: usize = 64 << 20;

/// The encodings of a version by the name of their base.
type Encodings = HashMap<Option<VersionHash>, Arc<OnceLock<EncodedVersion>>>;

/// An immutable snapshot of the run.
#[derive(Debug)]
pub struct Snapshot {
    /// The version of the model that tasks are issued against.
    pub version: Arc<Version>,
    /// The exact parameters in units, `[d]`, of which the version is a rounding.
    x: Arc<[i32]>,
    /// The same as floats, computed when first needed.
    parameters: OnceLock<Vec<f32>>,
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
    /// Earlier versions, oldest first.
    bases: Vec<Arc<Version>>,
    /// The version as differences to others, each encoded when first needed and shared by all who need it.
    encoded: Mutex<Encodings>,
}

impl Snapshot {
    /// Creates the first snapshot of this process.
    pub(super) fn initial(published: PublishedVersion, progress: &Progress) -> Self {
        Self::new(published, progress, Vec::new())
    }

    /// Creates the snapshot of the newest version.
    pub(super) fn advance(&self, published: PublishedVersion, progress: &Progress) -> Self {
        let mut bases = self.bases.clone();
        bases.push(Arc::clone(&self.version));
        let version_bytes = size_of_val(self.version.k());
        let capacity = MAX_BASES.min(MAX_BASE_BYTES / version_bytes).max(1);
        bases.drain(..bases.len().saturating_sub(capacity));
        Self::new(published, progress, bases)
    }

    fn new(published: PublishedVersion, progress: &Progress, bases: Vec<Arc<Version>>) -> Self {
        let PublishedVersion { version, exact } = published;
        Self {
            made: Instant::now(),
            accepted: version.accepted(),
            active: progress.active,
            progress: progress.fraction,
            tolerance: progress.tolerance,
            x: exact.unwrap_or_else(|| version.units().collect()),
            parameters: OnceLock::new(),
            version,
            bases,
            encoded: Mutex::default(),
        }
    }

    /// Returns the version as differences to `base`, or as a whole if that version is not kept.
    pub fn encoded_since(&self, base: Option<VersionHash>) -> EncodedVersion {
        let base = base.and_then(|hash| self.bases.iter().rev().find(|base| base.hash() == hash));
        let key = base.map(|base| base.hash());
        let encoded = Arc::clone(self.encoded.lock().entry(key).or_default());
        encoded
            .get_or_init(|| EncodedVersion::new(&self.version, base.map(AsRef::as_ref)))
            .clone()
    }

    /// Returns the version of this name: the newest, or one of the earlier versions that are kept. Of equal ones, the newer.
    pub fn held(&self, hash: VersionHash) -> Option<&Arc<Version>> {
        let earlier = self.bases.iter().rev();
        std::iter::once(&self.version)
            .chain(earlier)
            .find(|version| version.hash() == hash)
    }

    /// Returns the exact parameters, `[d]`.
    pub fn parameters(&self) -> &[f32] {
        let fixed_point = self.version.grid().fixed_point;
        self.parameters
            .get_or_init(|| fixed_point.dequantize(&self.x))
    }

    /// Encodes the exact parameters, as a version on the finest grid.
    pub fn encode_exact(&self) -> EncodedVersion {
        let grid = Grid {
            shift: 0,
            ..self.version.grid()
        };
        let exact = Version::round(self.version.number(), self.accepted, &self.x, grid);
        EncodedVersion::new(&exact, None)
    }

    /// Returns whether the run is finished.
    pub fn is_finished(&self) -> bool {
        self.progress == Some(1.0)
    }
}
