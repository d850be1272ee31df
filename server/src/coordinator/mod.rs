//! The task that owns the model.
//!
//! ```text
//!   sessions --Command--> queue --batch--> TrainingServer --> records, events --> journal, registry, telemetry
//!                                               |                          |
//!                                               v                          v
//!                               Snapshot (immutable, published)      durable? then replies
//! ```
//!
//! Sessions send commands through a bounded queue; everything else reads the immutable [`Snapshot`], and the number of
//! accepted updates. The coordinator takes all queued commands as one batch. It feeds updates, leaves and verification
//! results to the [`TrainingServer`] in order of arrival, makes a snapshot if one is due, and then adds volunteers that
//! join and issues the next tasks against it. If the run is saved, it then waits until the batch is durable, while further
//! commands queue up. Only then does it publish the snapshot and send the replies to joins and updates.

mod batch;
mod handle;
mod journal;
mod pacing;
mod publication;
mod registry;
pub mod seeds;
mod snapshot;
mod telemetry;
mod training;
mod verification_cache;
mod verifier;

pub use handle::{
    CoordinatorHandle, CoordinatorStopped, JoinReply, TaskAssignment, TaskRequest, UpdateReply,
};
pub use registry::{EjectTarget, JoinRequest};
pub use snapshot::Snapshot;
pub use telemetry::{Ejection, VolunteerListing, VolunteerSummary};
pub use verifier::{VerificationOptions, VerifierStopped};

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use cpu_time::ThreadTime;
use farsign::assignment::AssignmentOptions;
use farsign::dataset::ShardedDataset;
use farsign::keys::RunKeys;
use farsign::learner::HORIZON;
use farsign::optimizer::{FarSign, FarSignOptions};
use farsign::task::RunSettings;
use farsign::training_server::{TrainingOptions, TrainingServer};
use tokio::sync::{mpsc, watch};

use crate::admission::Admission;
use crate::counters::Counters;
use crate::store::StoreError;
use crate::store::saved_run::SavedRun;
use batch::PreparedReply;
use handle::Command;
use journal::Journal;
use pacing::ServerPace;
use publication::PublicationSchedule;
use registry::VolunteerRegistry;
use telemetry::Telemetry;
use verifier::Verifier;

/// Commands that wait in the queue. A session whose command finds the queue full waits, and so does its volunteer.
const COMMAND_QUEUE_CAPACITY: usize = 1024;

/// Commands of one batch.
const MAX_BATCH: usize = 256;

/// Options of a coordinator.
#[derive(Clone, Debug)]
pub struct CoordinatorOptions {
    /// Settings of the run that volunteers receive.
    pub run: RunSettings,
    /// Assignment of tasks.
    pub assignment: AssignmentOptions,
    /// Options of the optimizer.
    pub optimizer: FarSignOptions,
    /// Verification of updates. `None` if updates are not verified.
    pub verification: Option<VerificationOptions>,
    /// Keys of a new run. A saved run has its own.
    pub keys: RunKeys,
}

/// Services that the coordinator uses.
#[derive(Clone, Debug)]
pub struct Services {
    /// Training data, for verification.
    pub train: ShardedDataset,
    /// Event counters.
    pub counters: Arc<Counters>,
    /// Bans of volunteers that fail verification.
    pub admission: Arc<Admission>,
}

/// The owner of the training server. It shares no state.
#[derive(Debug)]
pub struct Coordinator {
    queue: mpsc::Receiver<Command>,
    training: TrainingServer,
    registry: VolunteerRegistry,
    /// Recomputes updates. `None` if updates are not verified.
    verifier: Option<Verifier>,
    /// Whether the verifier has stopped although updates should be verified.
    verifier_stopped: bool,
    admission: Arc<Admission>,
    telemetry: Telemetry,
    snapshots: watch::Sender<Arc<Snapshot>>,
    /// The newest snapshot, which tasks are issued against. It is published once it is durable.
    latest: Arc<Snapshot>,
    /// Whether the model has changed since the newest snapshot.
    has_changed: bool,
    publication: PublicationSchedule,
    /// Accepted updates that are durable, for readers.
    accepted: Arc<AtomicU64>,
    journal: Journal,
    counters: Arc<Counters>,
    pace: ServerPace,
}

/// An error that ends the coordinator.
#[derive(Debug, thiserror::Error)]
pub enum CoordinatorError {
    /// The run cannot be saved. No reply of the batch was sent.
    #[error("the run cannot be saved: {0}")]
    Store(#[from] StoreError),
    /// Updates would no longer be verified.
    #[error(transparent)]
    Verifier(#[from] VerifierStopped),
}

impl Coordinator {
    /// Creates a coordinator, idle until [`Coordinator::run`], and its handle. The verifier gets a thread of its own. A
    /// `saved` run continues where it stopped; otherwise a new run starts and is not saved.
    ///
    /// # Errors
    /// Returns an error if the system provides no thread.
    pub fn start(
        options: CoordinatorOptions,
        services: Services,
        saved: Option<SavedRun>,
    ) -> std::io::Result<(Self, CoordinatorHandle)> {
        let CoordinatorOptions {
            run,
            assignment,
            optimizer,
            verification,
            keys,
        } = options;
        let training_options = TrainingOptions {
            assignment,
            keys: saved.as_ref().map_or(keys, |saved| saved.keys),
            verify_probability: verification.map(|verification| verification.probability),
            direction_seed: None,
            horizon: HORIZON,
            fault: None,
        };
        let (training, journal) = open(training_options, optimizer, saved);
        let (commands, queue) = mpsc::channel(COMMAND_QUEUE_CAPACITY);
        let latest = Arc::new(Snapshot::initial(&training));
        let (snapshots, published) = watch::channel(Arc::clone(&latest));
        let accepted = Arc::new(AtomicU64::new(latest.accepted));
        let mut pace = ServerPace::new(&run, Arc::clone(services.train.list()));
        if let Some(options) = verification {
            let counters = Arc::clone(&services.counters.verification);
            let accepted = training.optimizer().accepted();
            pace = pace.with_verification(options.cpu_fraction, counters, accepted, Instant::now());
        }
        let telemetry = Telemetry::new(run.directions, run.order, assignment.rule, Instant::now());
        let verifier = verification.map(|options| {
            // A weak sender: a strong one would keep the queue open while the verifier waits for jobs.
            let commands = commands.downgrade();
            let report = move |result| {
                let command = Command::Verified(result);
                commands
                    .upgrade()
                    .is_some_and(|commands| commands.blocking_send(command).is_ok())
            };
            let counters = Arc::clone(&services.counters.verification);
            Verifier::start(options, run, services.train, counters, report)
        });
        let mut coordinator = Self {
            queue,
            training,
            registry: VolunteerRegistry::default(),
            verifier: verifier.transpose()?,
            verifier_stopped: false,
            admission: services.admission,
            telemetry,
            snapshots,
            latest,
            has_changed: false,
            publication: PublicationSchedule::new(Instant::now()),
            accepted: Arc::clone(&accepted),
            journal,
            counters: services.counters,
            pace,
        };
        coordinator.handle_events();
        Ok((
            coordinator,
            CoordinatorHandle {
                commands,
                snapshots: published,
                accepted,
            },
        ))
    }

    /// Handles commands until it is stopped or every handle is dropped.
    ///
    /// It shares the threads of the sessions: waking another thread for each update would cost more than the update.
    ///
    /// # Errors
    /// Returns an error if the run could not be saved or updates would no longer be verified. Replies of the failed batch
    /// are dropped.
    pub async fn run(mut self) -> Result<(), CoordinatorError> {
        let mut commands = Vec::with_capacity(MAX_BATCH);
        let mut requests = Vec::new();
        let mut replies = Vec::new();
        while self.queue.recv_many(&mut commands, MAX_BATCH).await > 0 {
            if commands
                .iter()
                .any(|command| matches!(command, Command::Stop))
            {
                self.queue.close(); // queued commands are still handled
            }
            self.handle_batch(&mut commands, &mut requests, &mut replies);
            self.journal.save(&mut self.training).await?;
            self.announce();
            replies.drain(..).for_each(PreparedReply::send);
            if self.verifier_stopped {
                break;
            }
        }
        self.journal.close().await;
        if self.verifier_stopped {
            Err(VerifierStopped.into())
        } else {
            Ok(())
        }
    }

    /// Makes a snapshot if one is due.
    fn make_snapshot(&mut self) {
        let optimizer = self.training.optimizer();
        let accepted = optimizer.accepted();
        let active = optimizer.active();
        let now = Instant::now();
        let is_due = self.publication.is_due(accepted, now) || optimizer.is_finished();
        if !self.has_changed || !is_due {
            return;
        }
        self.has_changed = false;
        let start = ThreadTime::now();
        self.training.publish();
        let tolerance = self.telemetry.tolerance();
        self.latest = Arc::new(self.latest.advance(&self.training, tolerance));
        self.publication
            .on_published(accepted, active, now, start.elapsed());
        if self.latest.is_finished() {
            tracing::info!(event = "finished", accepted, "training finished");
        }
    }

    /// Publishes the number of accepted updates and the newest snapshot to their readers, once they are durable.
    fn announce(&mut self) {
        let accepted = self.training.optimizer().accepted();
        self.accepted.store(accepted, Ordering::Release);
        if !Arc::ptr_eq(&*self.snapshots.borrow(), &self.latest) {
            self.snapshots.send_replace(Arc::clone(&self.latest));
        }
    }
}

/// Creates the training server of a new run, or that of a saved run with the journal that it continues.
fn open(
    options: TrainingOptions,
    optimizer: FarSignOptions,
    saved: Option<SavedRun>,
) -> (TrainingServer, Journal) {
    let Some(saved) = saved else {
        let training = TrainingServer::new(FarSign::new(optimizer), options);
        return (training, Journal::default());
    };
    let SavedRun {
        learner,
        keys: _,
        version,
        writer,
        checkpoint_every,
    } = saved;
    let accepted = learner.optimizer().accepted();
    let journal = Journal::new(writer, version, checkpoint_every, accepted);
    // The saved model may be ahead of the newest published version, so the first one has another number.
    let training = TrainingServer::resume(learner, options, version + 1);
    (training, journal)
}
