//! Reads a stream in its order, and checks that no message is missing.

use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::Stream;
use futures_util::StreamExt;

/// Bytes that the server sends ahead, at most. Above 64 MB it disconnects a slow reader.
const MAX_AHEAD_BYTES: usize = 16 << 20;

/// Time without a reader after which the server forgets it.
const INACTIVE_TIMEOUT: Duration = Duration::from_secs(30);

/// Time between two signs of life of the server.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);

/// Time after which the reader asks for messages again.
const PULL_TIMEOUT: Duration = Duration::from_secs(10);

/// The reason why a stream has no next message now.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The next message is no longer there.
    #[error("the oldest message is {first}")]
    Missing {
        /// Number of the oldest message.
        first: u64,
    },
    /// The stream ends before the last message that was read.
    #[error("the newest message is {newest}")]
    Behind {
        /// Number of the newest message.
        newest: u64,
    },
    /// The server cannot be reached; another attempt may succeed.
    #[error("{0}")]
    Unreachable(String),
}

/// A reader of a stream.
pub struct StreamReader {
    stream: Stream,
    /// Number of the last message that was returned.
    last: u64,
    messages: Option<pull::Stream>,
}

impl std::fmt::Debug for StreamReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamReader")
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}

fn unreachable(error: impl std::fmt::Display) -> StreamError {
    StreamError::Unreachable(error.to_string())
}

impl StreamReader {
    /// Creates a reader of the messages after one.
    pub fn new(stream: Stream, after: u64) -> Self {
        Self {
            stream,
            last: after,
            messages: None,
        }
    }

    /// Returns the next message with its number. Nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// Returns an error if there is no such message, or the server cannot be reached.
    pub async fn next(&mut self) -> Result<(u64, Message), StreamError> {
        loop {
            let Some(messages) = &mut self.messages else {
                self.messages = Some(self.subscribe().await?);
                continue;
            };
            let Some(Ok(message)) = messages.next().await else {
                self.messages = None; // a lost connection, or a missing sign of life
                continue;
            };
            let Ok(number) = message.info().map(|info| info.stream_sequence) else {
                continue;
            };
            if number == self.last + 1 {
                self.last = number;
                return Ok((number, message));
            }
            if number > self.last {
                self.messages = None; // some were dropped on the way
            }
        }
    }

    async fn subscribe(&self) -> Result<pull::Stream, StreamError> {
        let state = self.stream.get_info().await.map_err(unreachable)?.state;
        if state.first_sequence > self.last + 1 {
            return Err(StreamError::Missing {
                first: state.first_sequence,
            });
        }
        if state.last_sequence < self.last {
            return Err(StreamError::Behind {
                newest: state.last_sequence,
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
        let messages = consumer
            .map_err(unreachable)?
            .stream()
            .max_bytes_per_batch(MAX_AHEAD_BYTES)
            .heartbeat(HEARTBEAT_INTERVAL)
            .expires(PULL_TIMEOUT)
            .messages()
            .await;
        messages.map_err(unreachable)
    }
}
