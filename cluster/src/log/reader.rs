//! Reads the log in its order.

use std::collections::VecDeque;
use std::time::Duration;

use async_nats::jetstream::stream::Stream;
use farsign_server::run::log::{Entry, LogError, LogReader};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::ClusterError;
use crate::log::message::read_message;
use crate::stream_reader::{StreamError, StreamReader};

/// Messages that are returned at once, at most.
const MAX_MESSAGES: usize = 256;

/// Time before a failed request is made again.
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// A reader of a log in a stream.
#[derive(Debug)]
pub struct NatsReader {
    messages: StreamReader,
    run_id: u64,
    /// Number of the next message.
    next: u64,
    entries: VecDeque<Entry>,
}

impl NatsReader {
    /// Creates a reader of the messages after one.
    pub fn new(stream: Stream, run_id: u64, after: u64) -> Self {
        Self {
            messages: StreamReader::new(stream, after),
            run_id,
            next: after + 1,
            entries: VecDeque::new(),
        }
    }

    /// Returns the entries of the next message, as soon as the server can be reached.
    ///
    /// # Errors
    /// Returns an error if a message is missing or not of this run.
    pub async fn next_message(&mut self) -> Result<Vec<Entry>, ClusterError> {
        loop {
            match self.messages.next().await {
                Ok((number, message)) => {
                    let records = read_message(self.run_id, &message.payload)
                        .map_err(|cause| ClusterError::Message { number, cause })?;
                    self.next = number + 1;
                    let entry = |record| Entry {
                        message: number,
                        record,
                    };
                    return Ok(records.into_iter().map(entry).collect());
                }
                Err(StreamError::Missing { first }) => {
                    return Err(ClusterError::Gap {
                        expected: self.next,
                        found: first,
                    });
                }
                // A server that has just been elected may not have all messages yet.
                Err(error @ (StreamError::Behind { .. } | StreamError::Unreachable(_))) => {
                    tracing::debug!(event = "log_read_again", %error, "the log is read again");
                    tokio::time::sleep(RETRY_DELAY).await;
                }
            }
        }
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
