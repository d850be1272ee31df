//! Errors of a cluster.

use std::time::{Duration, Instant};

use farsign::learner::codec::{ReadStateError, RecordError};
use farsign::optimizer::RestoreError;
use farsign_server::gateway::GatewayError;
use farsign_server::learner::LearnerError;
use farsign_server::run::board::BoardError;
use farsign_server::run::log::LogError;
use farsign_server::store::codec::SavedValueError;

/// An error of a cluster.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum ClusterError {
    /// An address of a server is invalid.
    #[error("expected addresses such as nats://HOST:4222 with commas in between, found others")]
    Servers,
    /// No server can be reached.
    #[error("could not connect to NATS at {servers}: {cause}")]
    Connect { servers: String, cause: String },
    /// The server is too old.
    #[error(
        "expected nats-server 2.14 or newer, found {found}: older ones lose what they acknowledged"
    )]
    ServerVersion { found: String },
    /// A request to the server failed.
    #[error("could not {action}: {cause}")]
    Request { action: &'static str, cause: String },
    /// The name of the run cannot be used.
    #[error(
        "expected a name of a run of 1 to 32 lower-case letters, digits and underscores, found {found:?}"
    )]
    Name { found: String },
    /// There is no run of this name.
    #[error("expected a run named {name} in NATS, found none; `farsign learner` begins one")]
    NoRun { name: String },
    /// There is a run of this name.
    #[error("expected no run named {name} in NATS, found one; `--run` chooses another name")]
    RunExists { name: String },
    /// Another process uses the run.
    #[error(
        "expected that no process uses the run {name}, found a learner or a gateway; stop all roles, and wait 20 s"
    )]
    InUse { name: String },
    /// The saved identity cannot be read.
    #[error("the identity of the run {name} is damaged: {source}")]
    Identity {
        name: String,
        source: SavedValueError,
    },
    /// A message of the log is not one of this run.
    #[error("message {number} of the log: {cause}")]
    Message { number: u64, cause: MessageError },
    /// The log lacks messages.
    #[error("expected message {expected} of the log, found {found}: messages are missing")]
    Gap { expected: u64, found: u64 },
    /// The log has lost messages that a checkpoint contains.
    #[error(
        "expected a log of at least {expected} messages, as in the newest checkpoint, found {found}"
    )]
    Behind { expected: u64, found: u64 },
    /// No checkpoint can be used.
    #[error("expected a checkpoint of the run, found none that can be read: {cause}")]
    NoCheckpoint { cause: String },
    /// The log can no longer be appended to or read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The board can no longer be read or written.
    #[error(transparent)]
    Board(#[from] BoardError),
    /// The learner has failed.
    #[error(transparent)]
    Learner(#[from] LearnerError),
    /// The gateway has failed.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// A part of the process could not be started, or has failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// An invalid message of the log.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// It ends early.
    #[error("expected {expected} more bytes, found {found}")]
    Truncated { expected: usize, found: usize },
    /// Another version of the program wrote it.
    #[error("expected format {expected}, found {found}")]
    Format { expected: u8, found: u8 },
    /// It is of another run.
    #[error("expected run {expected:016x}, found run {found:016x}")]
    OtherRun { expected: u64, found: u64 },
    /// A join is not alone.
    #[error("expected a join to be alone, found {found} records")]
    SharedJoin { found: usize },
    /// It has no record.
    #[error("expected at least one record, found none")]
    Empty,
    /// A record is invalid.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// A checkpoint that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Its bytes are not those that were saved.
    #[error("expected bytes that match their checksum, found others")]
    Checksum,
    /// Another version of the program wrote it.
    #[error("expected format {expected}, found {found}")]
    Format { expected: u8, found: u8 },
    /// It is of another run.
    #[error("expected run {expected:016x}, found run {found:016x}")]
    OtherRun { expected: u64, found: u64 },
    /// The log has another message where it was saved.
    #[error(
        "expected message {number} of the log to be the one before the checkpoint, found another"
    )]
    OtherLog { number: u64 },
    /// Its state is invalid.
    #[error(transparent)]
    State(#[from] ReadStateError),
    /// Its state is impossible under the settings of the run.
    #[error(transparent)]
    Restore(#[from] RestoreError),
}

/// Time for which a request is made again before it has failed. Servers that have just started need up to half a minute.
const REQUEST_RETRY_TIMEOUT: Duration = Duration::from_mins(1);

/// Time before a failed request is made again.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// Makes a request until it succeeds, or has failed for longer than an election of the servers takes.
///
/// # Errors
/// Returns the last error of the request.
pub(crate) async fn retry<T, F: Future<Output = Result<T, ClusterError>>>(
    request: impl Fn() -> F,
) -> Result<T, ClusterError> {
    let started = Instant::now();
    loop {
        match request().await {
            Err(error @ ClusterError::Request { .. })
                if started.elapsed() < REQUEST_RETRY_TIMEOUT =>
            {
                tracing::info!(event = "request_retried", %error, "request to NATS is made again");
                tokio::time::sleep(RETRY_DELAY).await;
            }
            ended => return ended,
        }
    }
}

/// Converts an error of a request.
pub(crate) fn failed<E: std::fmt::Display>(action: &'static str) -> impl FnOnce(E) -> ClusterError {
    move |error| ClusterError::Request {
        action,
        cause: error.to_string(),
    }
}
