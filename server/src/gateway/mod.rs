//! The gateway: the task behind the sessions of volunteers.
//!
//! ```text
//!   sessions --Command--> queue --batch--> TaskIssuer --records--> log --durable?--+
//!      ^                                                                           |
//!      +--replies with next tasks-- waits until the learner has taken the batch <--+
//!                                        ^
//!   board --bulletins: versions, notices-+--> Snapshot (immutable, published)
//! ```
//!
//! Sessions send commands through a bounded queue; everything else reads the immutable [`Snapshot`], and the number of
//! accepted updates. The gateway takes all queued commands as one batch, closes the tasks of its updates and appends its
//! records to the log. An update is acknowledged when it is durable there, and nothing else. The next task waits for a
//! version that may contain that update, for a bounded time.

mod batch;
mod ejection_log;
mod handle;
mod listing;
mod notices;
mod registry;
mod replies;
mod snapshot;
mod tasks;

pub use ejection_log::Ejection;
pub use handle::{
    GatewayHandle, GatewayStopped, JoinReply, TaskAssignment, TaskRequest, UpdateReply,
};
use listing::Sessions;
pub use listing::{VolunteerListing, VolunteerSummary};
pub use registry::{EjectTarget, JoinRequest};
pub use snapshot::Snapshot;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use farsign::assignment::AssignmentOptions;
use farsign::dataset::ShardList;
use farsign::keys::Key;
use farsign::learner::{GatewayId, Record};
use farsign::task::RunSettings;
use farsign::task_issuer::TaskIssuer;
use farsign::version::Version;
use futures_util::future::{BoxFuture, OptionFuture};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Sleep};

use crate::admission::Admission;
use crate::counters::Counters;
use crate::run::board::{BoardError, BoardFollower, Bulletin, Progress};
use crate::run::log::{Log, LogError};
use crate::run::reports::Reports;
use ejection_log::EjectionLog;
use handle::Command;
use registry::VolunteerRegistry;
use replies::{AppendedBatch, PendingReply};

/// Commands that wait in the queue. A session whose command finds the queue full waits, and so does its volunteer.
const COMMAND_QUEUE_CAPACITY: usize = 1024;

/// Commands of one batch.
const MAX_BATCH: usize = 256;

/// Time for which the next task of a volunteer waits for a version with its own update.
pub const FRESHNESS_TIMEOUT: Duration = Duration::from_millis(20);

/// Messages that the learner may be behind. Then tasks wait, so that volunteers do not compute on old versions.
const MAX_LAG: u64 = 4096;

/// Options of a gateway.
#[derive(Clone, Debug)]
pub struct GatewayOptions {
    /// Its id.
    pub id: GatewayId,
    /// Settings of the run.
    pub run: RunSettings,
    /// The shards of the training data.
    pub shards: Arc<ShardList>,
    /// Assignment of tasks.
    pub assignment: AssignmentOptions,
    /// Key of the seeds of tasks.
    pub task_key: Key,
}

/// What a gateway is connected to.
#[derive(Debug)]
pub struct GatewayLinks {
    /// The log.
    pub log: Arc<dyn Log>,
    /// The board.
    pub board: Box<dyn BoardFollower>,
    /// Reports of the learner.
    pub reports: Arc<dyn Reports>,
    /// Bans of volunteers that fail verification.
    pub admission: Arc<Admission>,
    /// Event counters.
    pub counters: Arc<Counters>,
}

/// An error that ends a gateway.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The log cannot be written. No reply of the batch was sent.
    #[error("the run cannot be saved: {0}")]
    Log(#[from] LogError),
    /// Nothing more is published.
    #[error(transparent)]
    Board(#[from] BoardError),
    /// The learner counts it as failed.
    #[error("expected to be a gateway of the run, found that it was out of reach for too long")]
    Lost,
}

/// The gateway. It shares no state.
#[derive(Debug)]
pub struct Gateway {
    options: GatewayOptions,
    queue: mpsc::Receiver<Command>,
    issuer: TaskIssuer,
    registry: VolunteerRegistry,
    ejections: EjectionLog,
    links: GatewayLinks,
    snapshots: watch::Sender<Arc<Snapshot>>,
    /// The newest snapshot, which tasks are issued against.
    latest: Arc<Snapshot>,
    progress: Progress,
    /// Number of the last message that the learner has taken.
    taken: u64,
    /// Number of the last message of this gateway.
    appended: u64,
    /// Accepted updates, for readers.
    accepted: Arc<AtomicU64>,
    /// Whether the learner counts it as failed.
    is_lost: bool,
    /// Records for the next batch, besides those of its commands.
    records: Vec<Record>,
    /// The batch that is being appended.
    appending: Option<Appending>,
    /// Batches whose replies wait for the learner.
    waiting: VecDeque<AppendedBatch>,
    /// Versions of closed tasks up to a message, until the learner has taken it: it looks them up by name.
    closed: VecDeque<(u64, Vec<Arc<Version>>)>,
}

/// A batch that is being appended.
struct Appending {
    append: BoxFuture<'static, Result<Vec<u64>, LogError>>,
    replies: Vec<PendingReply>,
    /// Versions of the closed tasks, until the learner has found them.
    versions: Vec<Arc<Version>>,
}

impl std::fmt::Debug for Appending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Appending").finish_non_exhaustive()
    }
}

impl Gateway {
    /// Creates a gateway, idle until [`Gateway::run`], and its handle. `first` is the first bulletin of the learner.
    ///
    /// # Panics
    /// Panics if the first bulletin has no version.
    pub fn new(
        options: GatewayOptions,
        links: GatewayLinks,
        first: Bulletin,
    ) -> (Self, GatewayHandle) {
        let (commands, queue) = mpsc::channel(COMMAND_QUEUE_CAPACITY);
        let version = first.version.expect("the first bulletin has a version");
        let latest = Arc::new(Snapshot::initial(version, &first.progress));
        let (snapshots, published) = watch::channel(Arc::clone(&latest));
        let accepted = Arc::new(AtomicU64::new(first.progress.accepted));
        let handle = GatewayHandle {
            commands,
            snapshots: published,
            accepted: Arc::clone(&accepted),
            reports: Arc::clone(&links.reports),
        };
        let gateway = Self {
            queue,
            issuer: TaskIssuer::new(options.assignment, options.task_key, None),
            options,
            registry: VolunteerRegistry::default(),
            ejections: EjectionLog::default(),
            links,
            snapshots,
            latest,
            progress: first.progress,
            taken: first.message,
            appended: first.message,
            accepted,
            is_lost: false,
            records: Vec::new(),
            appending: None,
            waiting: VecDeque::new(),
            closed: VecDeque::new(),
        };
        (gateway, handle)
    }

    /// Handles commands until it is stopped or every handle is dropped, and the learner has taken everything.
    ///
    /// It shares the threads of the sessions: waking another thread for each update would cost more than the update.
    ///
    /// # Errors
    /// Returns an error if the log failed or the learner has ended. Replies that are still due are dropped.
    pub async fn run(mut self) -> Result<(), GatewayError> {
        let mut commands = Vec::with_capacity(MAX_BATCH);
        let mut is_open = true;
        let deadline = tokio::time::sleep(Duration::ZERO);
        tokio::pin!(deadline);
        while is_open || self.is_busy() {
            self.release(&mut deadline.as_mut());
            if self.is_lost {
                return Err(GatewayError::Lost);
            }
            if self.appending.is_none() && !self.records.is_empty() {
                self.handle_batch(&mut commands); // records without a command
            }
            let accepts = is_open && self.appending.is_none();
            let append: OptionFuture<_> = self
                .appending
                .as_mut()
                .map(|batch| &mut batch.append)
                .into();
            tokio::select! {
                biased; // a failed append is the reason why nothing more is published
                Some(appended) = append => self.on_appended(appended?),
                bulletin = self.links.board.next() => self.handle_bulletin(bulletin?),
                received = self.queue.recv_many(&mut commands, MAX_BATCH), if accepts => {
                    is_open = received > 0;
                    self.handle_batch(&mut commands);
                }
                () = &mut deadline, if !self.waiting.is_empty() && !deadline.is_elapsed() => {}
            }
        }
        Ok(())
    }

    /// Returns whether records are not durable, or the learner has not taken them.
    fn is_busy(&self) -> bool {
        self.appending.is_some() || !self.records.is_empty() || self.taken < self.appended
    }

    /// Keeps a batch that is durable until the learner has taken it.
    fn on_appended(&mut self, messages: Vec<u64>) {
        let Some(Appending {
            replies, versions, ..
        }) = self.appending.take()
        else {
            return;
        };
        self.appended = messages.iter().copied().fold(self.appended, u64::max);
        self.closed.push_back((self.appended, versions));
        self.waiting.push_back(AppendedBatch {
            messages,
            replies,
            last: self.appended,
            deadline: Instant::now() + FRESHNESS_TIMEOUT,
        });
    }

    /// Publishes a bulletin of the learner.
    fn handle_bulletin(&mut self, bulletin: Bulletin) {
        let Bulletin {
            message,
            progress,
            version,
            notices,
        } = bulletin;
        self.taken = message;
        let is_taken = |(last, _): &mut (u64, Vec<Arc<Version>>)| *last <= message;
        while self.closed.pop_front_if(is_taken).is_some() {}
        self.progress = progress;
        self.accepted.store(progress.accepted, Ordering::Release);
        if let Some(version) = version {
            self.latest = Arc::new(self.latest.advance(version, &progress));
            self.snapshots.send_replace(Arc::clone(&self.latest));
        }
        for notice in notices {
            self.handle_notice(notice);
        }
    }

    /// Sends the replies of batches that the learner has taken or that have waited long enough, and sets the deadline of
    /// the next.
    fn release(&mut self, deadline: &mut std::pin::Pin<&mut Sleep>) {
        let now = Instant::now();
        while let Some(batch) = self.waiting.front() {
            let is_taken = batch.last <= self.taken;
            let is_late =
                batch.deadline <= now && batch.last - self.taken.min(batch.last) <= MAX_LAG;
            if !is_taken && !is_late {
                if deadline.deadline() < batch.deadline {
                    deadline.as_mut().reset(batch.deadline);
                }
                return;
            }
            if let Some(batch) = self.waiting.pop_front() {
                self.reply(batch);
            }
        }
    }
}
