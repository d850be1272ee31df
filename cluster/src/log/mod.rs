//! The log in a stream.

pub mod checkpoints;
pub mod message;
pub mod reader;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_nats::jetstream::Context;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use farsign::learner::{LearnerState, Record};
use farsign_server::run::log::{Log, LogError};
use futures_util::future::{BoxFuture, try_join_all};
use parking_lot::Mutex;

use crate::log::checkpoints::Checkpoints;
use crate::log::message::{OutgoingMessage, write_messages};

/// Time before a failed append is sent again, at first and at most.
const RETRY_DELAYS: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];

/// The log of a run in a stream of NATS. An append is sent until it is durable: every message has an id, so that one that
/// was stored without an acknowledgement is not stored twice.
#[derive(Clone, Debug)]
pub struct NatsLog(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    context: Context,
    subject: String,
    run_id: u64,
    /// Prefix of the id of each message.
    writer: String,
    next_id: AtomicU64,
    is_closed: AtomicBool,
    /// Start of the oldest append that is not durable.
    waiting_since: Mutex<Option<Instant>>,
    /// `None` if this process saves no checkpoints.
    checkpoints: Option<Checkpoints>,
}

impl NatsLog {
    /// Creates the log of a run, whose messages go to a subject.
    pub fn new(
        context: Context,
        subject: String,
        run_id: u64,
        checkpoints: Option<Checkpoints>,
    ) -> Self {
        Self(Arc::new(Inner {
            context,
            subject,
            run_id,
            writer: format!("{:016x}", rand::random::<u64>()),
            next_id: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
            waiting_since: Mutex::new(None),
            checkpoints,
        }))
    }

    /// Returns the time for which an append has not become durable. `None` if there is none.
    pub fn waiting_time(&self) -> Option<Duration> {
        self.0.waiting_since.lock().map(|since| since.elapsed())
    }
}

impl Inner {
    /// Sends a message until it is durable, and returns its number.
    async fn publish(&self, payload: Vec<u8>) -> Result<u64, LogError> {
        let number = self.next_id.fetch_add(1, Ordering::Relaxed);
        let id = format!("{}-{number}", self.writer);
        let payload = PublishMessage::build()
            .payload(payload.into())
            .message_id(id);
        let [mut delay, max_delay] = RETRY_DELAYS;
        loop {
            match self.try_publish(payload.clone()).await {
                Ok(number) => return Ok(number),
                Err(error) if is_final(&error) => return Err(LogError::Remote(error.to_string())),
                Err(error) => {
                    tracing::warn!(event = "append_retried", %error, "append to the log is sent again");
                }
            }
            if self.is_closed.load(Ordering::Relaxed) {
                return Err(LogError::Closed);
            }
            tokio::time::sleep(delay).await;
            delay = (2 * delay).min(max_delay);
        }
    }

    async fn try_publish(&self, payload: PublishMessage) -> Result<u64, PublishError> {
        let sent = self.context.send_publish(self.subject.clone(), payload);
        Ok(sent.await?.await?.sequence)
    }

    /// Sends a message, and returns its records and its number.
    async fn send(&self, message: OutgoingMessage) -> Result<(Vec<usize>, u64), LogError> {
        let number = self.publish(message.payload).await?;
        Ok((message.records, number))
    }

    /// Appends messages, and returns the number of each record.
    async fn append(
        &self,
        messages: Vec<OutgoingMessage>,
        records: usize,
    ) -> Result<Vec<u64>, LogError> {
        let mut numbers = vec![0; records];
        let (joins, others): (Vec<_>, Vec<_>) =
            messages.into_iter().partition(|message| message.is_join);
        // The order of joins is free: what else a volunteer sends comes after its own.
        let joins = joins.into_iter().map(|message| self.send(message));
        for (records, number) in try_join_all(joins).await? {
            records
                .into_iter()
                .for_each(|record| numbers[record] = number);
        }
        for message in others {
            let (records, number) = self.send(message).await?;
            records
                .into_iter()
                .for_each(|record| numbers[record] = number);
        }
        Ok(numbers)
    }
}

/// Returns whether the same message would fail again.
fn is_final(error: &PublishError) -> bool {
    matches!(error.kind(), PublishErrorKind::MaxPayloadExceeded)
}

impl Log for NatsLog {
    fn append(&self, records: Vec<Record>) -> BoxFuture<'static, Result<Vec<u64>, LogError>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let messages = write_messages(inner.run_id, &records);
            inner.waiting_since.lock().get_or_insert_with(Instant::now);
            let appended = inner.append(messages, records.len()).await;
            *inner.waiting_since.lock() = None;
            appended
        })
    }

    fn checkpoint(
        &self,
        message: u64,
        state: LearnerState,
    ) -> BoxFuture<'static, Result<(), LogError>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let Some(checkpoints) = &inner.checkpoints else {
                return Ok(());
            };
            if let Err(error) = checkpoints.save(message, &state).await {
                // The log still has everything since the one before.
                tracing::warn!(event = "checkpoint_failed", %error, "checkpoint not saved");
            }
            Ok(())
        })
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        self.0.is_closed.store(true, Ordering::Relaxed);
        Box::pin(async {})
    }
}
