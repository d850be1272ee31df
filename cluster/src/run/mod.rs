//! A run in NATS: its identity, and its streams and buckets.

pub mod audit;
pub mod moving;
pub mod presence;
pub mod seat;

use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{GetStreamError, GetStreamErrorKind};
use async_nats::jetstream::kv::{self, CreateErrorKind, Store};
use async_nats::jetstream::stream::{self, DiscardPolicy, RetentionPolicy, Stream};
use async_nats::jetstream::{Context, object_store};
use farsign::keys::{Key, RunKeys};
use farsign_server::store::codec::{read_identity, write_identity};
use farsign_server::store::saved_values::RunIdentity;

use crate::ClusterError;
use crate::board::MAX_BULLETINS;
use crate::error::{failed, retry};
use crate::jobs::MAX_JOBS;
use crate::names::RunNames;
use crate::run::presence::PRESENCE_TTL;
use crate::run::seat::SEAT_TTL;

/// The key of the identity, and that of the sampling key.
const KEY: &str = "identity";

/// Bytes of the board, at most. The oldest bulletins are dropped first.
const MAX_BOARD_BYTES: i64 = 256 << 20;

/// Bytes of jobs, at most.
const MAX_JOB_BYTES: i64 = 256 << 20;

/// Time in which a message of the log is not stored twice.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);

/// Returns whether a stream does not exist.
fn is_missing(error: &GetStreamError) -> bool {
    match error.kind() {
        GetStreamErrorKind::JetStream(error) => error.error_code() == ErrorCode::STREAM_NOT_FOUND,
        _ => false,
    }
}

/// Options of the streams of a new run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamOptions {
    /// Servers that store each message: 1, 3 or 5.
    pub replicas: usize,
    /// Bytes of the log, at most. If they are used, no update is accepted until a checkpoint has shortened the log.
    pub max_log_bytes: u64,
}

/// A run in NATS.
#[derive(Clone, Debug)]
pub struct ClusterRun {
    context: Context,
    names: RunNames,
}

impl ClusterRun {
    /// Creates the access to a run, which need not exist.
    pub fn new(context: Context, names: RunNames) -> Self {
        Self { context, names }
    }

    /// Returns the connection.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Returns the names.
    pub fn names(&self) -> &RunNames {
        &self.names
    }

    /// Reads the identity of the run, with a sampling key of zeros. `None` if there is no run.
    ///
    /// # Errors
    /// Returns an error if the identity cannot be read.
    pub async fn identity(&self) -> Result<Option<RunIdentity>, ClusterError> {
        retry(|| self.try_identity()).await
    }

    async fn try_identity(&self) -> Result<Option<RunIdentity>, ClusterError> {
        if self
            .is_missing(&format!("KV_{}", self.names.identity()))
            .await?
        {
            return Ok(None);
        }
        let store = self.bucket(self.names.identity()).await?;
        let bytes = store.get(KEY).await.map_err(failed("read the run"))?;
        let Some(bytes) = bytes else { return Ok(None) };
        let identity = read_identity(&bytes);
        identity.map(Some).map_err(|source| ClusterError::Identity {
            name: self.names.run().to_owned(),
            source,
        })
    }

    /// Reads the identity of the run with its sampling key, which only learners may read. `None` if there is no run.
    ///
    /// # Errors
    /// Returns an error if it cannot be read.
    pub async fn secret_identity(&self) -> Result<Option<RunIdentity>, ClusterError> {
        retry(|| self.try_secret_identity()).await
    }

    async fn try_secret_identity(&self) -> Result<Option<RunIdentity>, ClusterError> {
        let Some(identity) = self.identity().await? else {
            return Ok(None);
        };
        let store = self.bucket(self.names.secret()).await?;
        let bytes = store.get(KEY).await.map_err(failed("read the run"))?;
        let bytes: Option<[u8; Key::BYTES]> = bytes.and_then(|bytes| bytes[..].try_into().ok());
        let sampling = bytes.ok_or(ClusterError::Request {
            action: "read the sampling key of the run",
            cause: "expected 32 bytes, found others".to_owned(),
        })?;
        let keys = RunKeys {
            sampling: Key::new(sampling),
            ..identity.keys
        };
        Ok(Some(RunIdentity { keys, ..identity }))
    }

    /// Creates the streams and buckets of a run whose log begins after a message, and then its identity. Of several learners
    /// that begin a run at once, one succeeds; the others return false.
    ///
    /// # Errors
    /// Returns an error if they cannot be created.
    pub async fn create(
        &self,
        identity: &RunIdentity,
        options: StreamOptions,
        after: u64,
    ) -> Result<bool, ClusterError> {
        self.create_streams(options, after).await?;
        self.create_identity(identity).await
    }

    /// Creates the identity of a run whose streams and buckets exist. False if there is one already.
    ///
    /// # Errors
    /// Returns an error if it cannot be created.
    pub async fn create_identity(&self, identity: &RunIdentity) -> Result<bool, ClusterError> {
        retry(|| self.try_create_identity(identity)).await
    }

    async fn try_create_identity(&self, identity: &RunIdentity) -> Result<bool, ClusterError> {
        if self.try_identity().await?.is_some() {
            return Ok(false);
        }
        // Without an identity, a key is left by a learner that has failed here.
        let secret = self.bucket(self.names.secret()).await?;
        let key = identity.keys.sampling.bytes().to_vec();
        match secret.create(KEY, key.into()).await {
            Ok(_) => {}
            Err(error) if error.kind() == CreateErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed("create the run")(error)),
        }
        let public = RunIdentity {
            keys: RunKeys {
                sampling: Key::new([0; Key::BYTES]),
                ..identity.keys
            },
            ..identity.clone()
        };
        let store = self.bucket(self.names.identity()).await?;
        match store.create(KEY, write_identity(&public).into()).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == CreateErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(failed("create the run")(error)),
        }
    }

    /// Creates the streams and buckets of a run whose log begins after a message.
    ///
    /// # Errors
    /// Returns an error if they cannot be created.
    pub async fn create_streams(
        &self,
        options: StreamOptions,
        after: u64,
    ) -> Result<(), ClusterError> {
        retry(|| self.try_create_streams(options, after)).await
    }

    async fn try_create_streams(
        &self,
        options: StreamOptions,
        after: u64,
    ) -> Result<(), ClusterError> {
        let StreamOptions {
            replicas,
            max_log_bytes,
        } = options;
        // All are on disk: a stream in memory on three servers can be left without a leader when all of them restart.
        let log = stream::Config {
            name: self.names.log(),
            subjects: vec![self.names.log_subjects()],
            discard: DiscardPolicy::New,
            max_bytes: max_log_bytes as i64,
            duplicate_window: DUPLICATE_WINDOW,
            first_sequence: (after > 0).then_some(after + 1),
            num_replicas: replicas,
            allow_direct: false,
            ..stream::Config::default()
        };
        let board = stream::Config {
            name: self.names.board(),
            subjects: vec![self.names.board_subjects()],
            discard: DiscardPolicy::Old,
            max_messages: MAX_BULLETINS,
            max_bytes: MAX_BOARD_BYTES,
            num_replicas: replicas,
            ..stream::Config::default()
        };
        let jobs = stream::Config {
            name: self.names.jobs(),
            subjects: vec![self.names.job_subject()],
            retention: RetentionPolicy::WorkQueue,
            discard: DiscardPolicy::New,
            max_messages: MAX_JOBS as i64,
            max_bytes: MAX_JOB_BYTES,
            num_replicas: replicas,
            ..stream::Config::default()
        };
        for config in [log, board, jobs] {
            let created = self.context.get_or_create_stream(config).await;
            created.map_err(failed("create the streams of the run"))?;
        }
        for (bucket, max_age) in [
            (self.names.identity(), Duration::ZERO),
            (self.names.secret(), Duration::ZERO),
            (self.names.seat(), SEAT_TTL),
            (self.names.gateways(), PRESENCE_TTL),
        ] {
            let config = kv::Config {
                bucket,
                history: 1,
                max_age,
                num_replicas: replicas,
                ..kv::Config::default()
            };
            // Learners that begin a run at once create the same buckets; one that exists stays unchanged.
            if self.is_missing(&format!("KV_{}", config.bucket)).await? {
                let created = self.context.create_key_value(config).await;
                created.map_err(failed("create the buckets of the run"))?;
            }
        }
        let config = object_store::Config {
            bucket: self.names.checkpoints(),
            num_replicas: replicas,
            ..object_store::Config::default()
        };
        if self
            .context
            .get_object_store(self.names.checkpoints())
            .await
            .is_err()
        {
            let created = self.context.create_object_store(config).await;
            created.map_err(failed("create the checkpoints of the run"))?;
        }
        Ok(())
    }

    /// Returns whether a stream does not exist.
    async fn is_missing(&self, stream: &str) -> Result<bool, ClusterError> {
        match self.context.get_stream(stream).await {
            Ok(_) => Ok(false),
            Err(error) if is_missing(&error) => Ok(true),
            Err(error) => Err(failed("read the run")(error)),
        }
    }

    /// Opens a stream of the run.
    ///
    /// # Errors
    /// Returns an error if it cannot be opened.
    pub async fn stream(&self, name: String) -> Result<Stream, ClusterError> {
        let open = || async {
            let stream = self.context.get_stream(name.clone()).await;
            stream.map_err(failed("open a stream of the run"))
        };
        retry(open).await
    }

    /// Opens a bucket of the run.
    ///
    /// # Errors
    /// Returns an error if it cannot be opened.
    pub async fn bucket(&self, name: String) -> Result<Store, ClusterError> {
        let store = self.context.get_key_value(name).await;
        store.map_err(failed("open a bucket of the run"))
    }

    /// Opens the object store of checkpoints.
    ///
    /// # Errors
    /// Returns an error if it cannot be opened.
    pub async fn object_store(&self) -> Result<object_store::ObjectStore, ClusterError> {
        let open = || async {
            let store = self.context.get_object_store(self.names.checkpoints());
            let store = store.await;
            store.map_err(failed("open the checkpoints of the run"))
        };
        retry(open).await
    }
}
