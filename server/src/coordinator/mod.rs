//! A whole run in one process: gateway, learner and verifier over the embedded log.

use std::sync::Arc;

use farsign::assignment::AssignmentOptions;
use farsign::dataset::ShardedDataset;
use farsign::keys::RunKeys;
use farsign::learner::{self, GatewayId, HORIZON, Learner, Record, Verdict};
use farsign::optimizer::{FarSign, FarSignOptions};
use farsign::task::RunSettings;
use tokio::sync::{mpsc, watch};

use crate::admission::Admission;
use crate::counters::Counters;
use crate::gateway::{Gateway, GatewayError, GatewayHandle, GatewayLinks, GatewayOptions};
use crate::learner::{LearnerError, LearnerLinks, LearnerOptions, LearnerTask, LiveLearner};
use crate::run::embedded::{self, EmbeddedReader, SavedLog, memory_log};
use crate::run::jobs::Jobs;
use crate::run::log::{Log, LogError};
use crate::store::StoreError;
use crate::store::saved_run::SavedRun;
use crate::verifier::{VerificationOptions, VerifierThread};

/// Verdicts that wait for the log.
const MAX_VERDICTS: usize = 64;

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

/// The parts of a run in one process.
#[derive(Debug)]
pub struct Coordinator {
    gateway: Gateway,
    learner: LearnerTask,
    /// Verdicts of the verifier.
    verdicts: mpsc::Receiver<Verdict>,
    log: Arc<dyn Log>,
    stop: watch::Sender<bool>,
}

/// An error that ends the coordinator.
#[derive(Debug, thiserror::Error)]
pub enum CoordinatorError {
    /// The gateway has failed. Replies that were due are dropped.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// The learner has failed.
    #[error(transparent)]
    Learner(#[from] LearnerError),
    /// A verdict could not be appended.
    #[error("the run cannot be saved: {0}")]
    Verdict(LogError),
}

impl CoordinatorError {
    /// Returns whether another part has failed before, which led to this.
    fn is_consequence(&self) -> bool {
        let log = match self {
            Self::Gateway(GatewayError::Board(_)) | Self::Learner(LearnerError::Board(_)) => {
                return true;
            }
            Self::Gateway(GatewayError::Log(log))
            | Self::Learner(LearnerError::Log(log))
            | Self::Verdict(log) => log,
            Self::Learner(LearnerError::Jobs(_)) | Self::Gateway(GatewayError::Lost) => {
                return false;
            }
        };
        matches!(
            log,
            LogError::Closed | LogError::Store(StoreError::WriterStopped)
        )
    }
}

impl Coordinator {
    /// Creates the parts of a run, idle until [`Coordinator::run`], and the handle of its gateway. A `saved` run continues
    /// where it stopped; otherwise a new run starts and is not saved.
    ///
    /// # Errors
    /// Returns an error if the system provides no thread.
    pub fn start(
        options: CoordinatorOptions,
        services: Services,
        saved: Option<SavedRun>,
    ) -> std::io::Result<(Self, GatewayHandle)> {
        let Opened {
            learner,
            keys,
            checkpoint_every,
            log,
            entries,
        } = open(&options, saved)?;
        let Services {
            train,
            counters,
            admission,
        } = services;
        let shards = Arc::clone(train.list());
        let (verdict, verdicts) = mpsc::channel(MAX_VERDICTS);
        let start_verifier = |verification| {
            let report = move |found| verdict.blocking_send(found).is_ok();
            let counters = Arc::clone(&counters.verification);
            VerifierThread::start(verification, options.run.clone(), train, counters, report)
        };
        let verifier = options.verification.map(start_verifier).transpose()?;
        let (board, follower) = embedded::board();
        let (reports, requests) = embedded::reports();
        let (stop, stopped) = watch::channel(false);
        let links = LearnerLinks {
            log: Arc::clone(&log),
            entries: Box::new(entries),
            board: Box::new(board),
            jobs: verifier.map(|thread| Box::new(thread) as Box<dyn Jobs>),
            reports: requests,
            stop: stopped,
        };
        let learner_options = LearnerOptions {
            run: options.run.clone(),
            assignment: options.assignment,
            verification: options.verification,
            kept_versions: 0, // the gateway keeps those of its tasks
        };
        let message = learner.position();
        let mut live = LiveLearner::new(learner, message, &learner_options, Arc::clone(&counters));
        let version = live.current_version();
        let first = live.bulletin(Some(version), Vec::new());
        let learner = LearnerTask::new(live, checkpoint_every, links);
        let gateway_options = GatewayOptions {
            id: GatewayId::default(),
            run: options.run,
            shards,
            assignment: options.assignment,
            task_key: keys.tasks,
        };
        let gateway_links = GatewayLinks {
            log: Arc::clone(&log),
            board: Box::new(follower),
            reports: Arc::new(reports),
            admission,
            counters,
        };
        let (gateway, handle) = Gateway::new(gateway_options, gateway_links, first);
        let coordinator = Self {
            gateway,
            learner,
            verdicts,
            log,
            stop,
        };
        Ok((coordinator, handle))
    }

    /// Runs all parts until the gateway is stopped or every handle is dropped.
    ///
    /// # Errors
    /// Returns an error if the run could not be saved or updates would no longer be verified. Replies that are still due
    /// are dropped.
    pub async fn run(self) -> Result<(), CoordinatorError> {
        let Self {
            gateway,
            learner,
            verdicts,
            log,
            stop,
        } = self;
        // One task: the two parts wait for each other, and hardly ever have work at the same time.
        let gateway = async {
            let ended = gateway.run().await;
            stop.send_replace(true);
            ended
        };
        let verdicts = append_verdicts(verdicts, Arc::clone(&log));
        let (gateway, learner, verdicts) = tokio::join!(gateway, learner.run(), verdicts);
        log.close().await;
        let gateway = gateway.err().map(CoordinatorError::from);
        let learner = learner.err().map(CoordinatorError::from);
        let verdicts = verdicts.err().map(CoordinatorError::Verdict);
        let errors = [gateway, learner, verdicts].into_iter().flatten();
        let first = errors.min_by_key(CoordinatorError::is_consequence);
        first.map_or(Ok(()), Err)
    }
}

/// The run at the end of its log.
struct Opened {
    learner: Learner,
    keys: RunKeys,
    checkpoint_every: u64,
    log: Arc<dyn Log>,
    entries: EmbeddedReader,
}

/// Opens the log of a saved run, or begins a new run in memory.
fn open(options: &CoordinatorOptions, saved: Option<SavedRun>) -> std::io::Result<Opened> {
    let Some(saved) = saved else {
        let learner_options = learner::LearnerOptions {
            sampling_key: options.keys.sampling,
            verify_probability: options.verification.map(|options| options.probability),
            horizon: HORIZON,
            fault: None,
        };
        let (log, entries) = memory_log();
        return Ok(Opened {
            learner: Learner::new(FarSign::new(options.optimizer.clone()), learner_options),
            keys: options.keys,
            checkpoint_every: u64::MAX,
            log: Arc::new(log),
            entries,
        });
    };
    let SavedRun {
        learner,
        keys,
        checkpoint_every,
        writer,
    } = saved;
    let (log, entries) = SavedLog::start(writer)?;
    Ok(Opened {
        learner,
        keys,
        checkpoint_every,
        log: Arc::new(log),
        entries,
    })
}

/// Appends verdicts to the log until the verifier or the log has ended.
async fn append_verdicts(
    mut verdicts: mpsc::Receiver<Verdict>,
    log: Arc<dyn Log>,
) -> Result<(), LogError> {
    let mut received = Vec::new();
    while verdicts.recv_many(&mut received, MAX_VERDICTS).await > 0 {
        let records = received.drain(..).map(Record::Verdict).collect();
        match log.append(records).await {
            Ok(_) => {}
            Err(LogError::Closed) => return Ok(()), // the run has been stopped
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
