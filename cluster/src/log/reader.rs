//! Reads the log in its order.

use std::collections::VecDeque;
use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::Stream;
use farsign_server::run::log::{Entry, LogError, LogReader};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};

use crate::ClusterError;
use crate::log::message::read_message;

/// Bytes that the server sends ahead, at most. Above 64 MB it disconnects a slow reader.
const MAX_AHEAD_BYTES: usize = 16 << 20;

/// Messages that are returned at once, at most.
const MAX_MESSAGES: usize = 256;

/// Time without a reader after which the server forgets it.
const INACTIVE_TIMEOUT: Duration = Duration::from_secs(30);

/// Time before a failed request is made again.
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// A reader of a log in a stream. It checks that no message is missing.
pub struct NatsReader {
    stream: Stream,
    run_id: u64,
    /// Number of the last message that was returned.
    last: u64,
    messages: Option<pull::Stream>,
    entries: VecDeque<Entry>,
}

impl std::fmt::Debug for NatsReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NatsReader")
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}

impl NatsReader {
    /// Creates a reader of the messages after one.
    pub fn new(stream: Stream, run_id: u64, after: u64) -> Self {
        Self {
            stream,
            run_id,
            last: after,
            messages: None,
            entries: VecDeque::new(),
        }
    }

    /// Returns the entries of the next message.
    ///
    /// # Errors
    /// Returns an error if a message is missing or not of this run.
    pub async fn next_message(&mut self) -> Result<Vec<Entry>, ClusterError> {
        loop {
            let Some(messages) = &mut self.messages else {
                self.subscribe().await?;
                continue;
            };
            match messages.next().await {
                Some(Ok(message)) => {
                    if let Some(entries) = self.read(&message)? {
                        return Ok(entries);
                    }
                }
                Some(Err(error)) => {
                    tracing::debug!(event = "log_read_again", %error, "the log is read again");
                    self.messages = None;
                }
                None => self.messages = None,
            }
        }
    }

    /// Subscribes to the messages after the last one, as soon as the server can be reached.
    async fn subscribe(&mut self) -> Result<(), ClusterError> {
        loop {
            match self.try_subscribe().await {
                Ok(messages) => {
                    self.messages = Some(messages);
                    return Ok(());
                }
                Err(error @ ClusterError::Gap { .. }) => return Err(error),
                Err(error) => {
                    tracing::debug!(event = "log_read_again", %error, "the log is read again");
                    tokio::time::sleep(RETRY_DELAY).await;
                }
            }
        }
    }

    async fn try_subscribe(&self) -> Result<pull::Stream, ClusterError> {
        let failed = |error: String| ClusterError::Request {
            action: "read the log",
            cause: error,
        };
        let info = self.stream.get_info().await;
        let first = info
            .map_err(|error| failed(error.to_string()))?
            .state
            .first_sequence;
        if first > self.last + 1 {
            return Err(ClusterError::Gap {
                expected: self.last + 1,
                found: first,
            });
        }
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence {
                start_sequence: self.last + 1,
            },
            ack_policy: AckPolicy::None,
            inactive_threshold: INACTIVE_TIMEOUT,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let consumer = self.stream.create_consumer(config).await;
        let consumer = consumer.map_err(|error| failed(error.to_string()))?;
        let messages = consumer
            .stream()
            .max_bytes_per_batch(MAX_AHEAD_BYTES)
            .heartbeat(Duration::from_secs(1))
            .expires(Duration::from_secs(10))
            .messages()
            .await;
        messages.map_err(|error| failed(error.to_string()))
    }

    /// Decodes a message. `None` if it is not the next one, which is then read again.
    fn read(&mut self, message: &Message) -> Result<Option<Vec<Entry>>, ClusterError> {
        let Ok(info) = message.info() else {
            return Ok(None);
        };
        let number = info.stream_sequence;
        if number != self.last + 1 {
            if number > self.last {
                self.messages = None; // some were dropped on the way
            }
            return Ok(None);
        }
        let records = read_message(self.run_id, &message.payload)
            .map_err(|cause| ClusterError::Message { number, cause })?;
        self.last = number;
        let entry = |record| Entry {
            message: number,
            record,
        };
        Ok(Some(records.into_iter().map(entry).collect()))
    }

    async fn fill(&mut self) -> Result<(), ClusterError> {
        if self.entries.is_empty() {
            let entries = self.next_message().await?;
            self.entries.extend(entries);
        }
        for _ in 1..MAX_MESSAGES {
            match self.next_message().now_or_never() {
                Some(entries) => self.entries.extend(entries?),
                None => return Ok(()),
            }
        }
        Ok(())
    }
}

impl LogReader for NatsReader {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Vec<Entry>>, LogError>> {
        Box::pin(async {
            let filled = self.fill().await;
            filled.map_err(|error| LogError::Remote(error.to_string()))?;
            Ok(Some(self.entries.drain(..).collect()))
        })
    }
}
