//! The board of a run: what its learner publishes for the gateways.

use std::sync::Arc;

use farsign::identity::VolunteerIdentity;
use farsign::learner::{GatewayId, TrustRecord};
use farsign::task::{GoodbyeReason, TaskId, VolunteerId};
use farsign::tolerance::Tolerance;
use farsign::version::Version;
use futures_util::future::BoxFuture;

use crate::counters::VerdictCounts;

/// What the learner publishes after it has taken entries of the log.
#[derive(Clone, Debug)]
pub struct Bulletin {
    /// Number of the last message that the learner has taken.
    pub message: u64,
    /// How far the training is.
    pub progress: Progress,
    /// The newest version, if it is new.
    pub version: Option<PublishedVersion>,
    /// What happened to volunteers, in order.
    pub notices: Vec<Notice>,
}

/// A version for the tasks of gateways.
#[derive(Clone, Debug)]
pub struct PublishedVersion {
    /// The version.
    pub version: Arc<Version>,
    /// The exact parameters in units, `[d]`, of which the version is a rounding. `None` if only the version is known.
    pub exact: Option<Arc<[i32]>>,
}

/// How far the training is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Accepted updates.
    pub accepted: u64,
    /// Recently active volunteers.
    pub active: usize,
    /// Fraction of the schedule that is done. `None` if the schedule has no end.
    pub fraction: Option<f64>,
    /// Estimated Byzantine tolerance. `None` if updates are not comparable.
    pub tolerance: Option<Tolerance>,
    /// What the learner and verification can take.
    pub capacity: Capacity,
    /// Verdicts since the learner began.
    pub verdicts: VerdictCounts,
}

/// Measured limits of a run, for the sizes of tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Capacity {
    /// Updates that the learner can take in a second. `None` if it is not known yet.
    pub updates_per_s: Option<f64>,
    /// Images of an average task that verification can afford. `None` if updates are not verified.
    pub verifiable_images: Option<f64>,
}

impl Progress {
    /// Returns whether the run is finished.
    pub fn is_finished(&self) -> bool {
        self.fraction == Some(1.0)
    }
}

/// Something that happened to a volunteer or a gateway.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Notice {
    /// A volunteer is ejected: its session ends, unless it has ended already.
    Ejected {
        /// The volunteer.
        volunteer: VolunteerId,
        /// The reason for its session.
        reason: GoodbyeReason,
        /// Its record at that time.
        record: TrustRecord,
    },
    /// An identity is banned, because one of its updates failed verification.
    Banned(VolunteerIdentity),
    /// An update failed verification.
    VerificationFailed {
        /// The sender of the update.
        volunteer: VolunteerId,
        /// The task of the update.
        task: TaskId,
    },
    /// A gateway has failed, and its volunteers have left.
    GatewayLost(GatewayId),
}

/// An error of the board.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BoardError {
    /// Nothing more is published, or no gateway follows any more.
    #[error("expected an open board, found it closed")]
    Closed,
    /// Another learner publishes.
    #[error("expected to be the only learner that publishes, found a publication of another one")]
    Fenced,
    /// The board of a cluster cannot be read or written.
    #[error("{0}")]
    Remote(String),
}

/// The learner's side of the board.
pub trait Board: std::fmt::Debug + Send {
    /// Publishes a bulletin to all gateways.
    ///
    /// # Errors
    /// Returns an error if no gateway can receive it.
    fn publish(&mut self, bulletin: Bulletin) -> BoxFuture<'_, Result<(), BoardError>>;
}

/// A gateway's side of the board.
pub trait BoardFollower: std::fmt::Debug + Send {
    /// Returns the next bulletin. Bulletins come in order and without a gap.
    ///
    /// Nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// Returns an error if nothing more is published.
    fn next(&mut self) -> BoxFuture<'_, Result<Bulletin, BoardError>>;
}
