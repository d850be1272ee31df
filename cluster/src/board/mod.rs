//! The board in a stream.

pub mod bulletin;

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use async_nats::jetstream::stream::{LastRawMessageErrorKind, RawMessageErrorKind, Stream};
use async_nats::jetstream::{Context, Message};
use farsign::version::Version;
use farsign_server::run::board::{Board, BoardError, BoardFollower, Bulletin};
use futures_util::future::BoxFuture;

use crate::board::bulletin::{read_bulletin, write_bulletin};
use crate::names::RunNames;
use crate::stream_reader::{StreamError, StreamReader};

/// Versions after which one is published as a whole, for gateways that begin to follow.
const WHOLE_VERSION_INTERVAL: u32 = 32;

/// Bulletins after which a version is published as a whole.
const WHOLE_BULLETIN_INTERVAL: u32 = 512;

/// Bulletins that the stream keeps. A gateway that is further behind begins anew.
pub const MAX_BULLETINS: i64 = 4096;

/// Time before a failed request is made again.
const RETRY_DELAY: Duration = Duration::from_millis(100);

/// Failed requests after which the board counts as closed: three minutes.
const MAX_RETRIES: u32 = 1800;

fn remote(error: impl std::fmt::Display) -> BoardError {
    BoardError::Remote(format!("the board cannot be reached: {error}"))
}

/// The learner's side. Each publication must follow the one before, so that only one learner publishes.
#[derive(Debug)]
pub struct NatsBoard {
    context: Context,
    stream: Stream,
    names: RunNames,
    /// Number of the last bulletin.
    last: u64,
    /// The last version.
    version: Option<Arc<Version>>,
    /// Versions since the last whole one.
    versions: u32,
    /// Bulletins since the last whole version.
    bulletins: u32,
}

impl NatsBoard {
    /// Creates the side of a learner that follows the bulletin with number `last`.
    pub fn new(context: Context, stream: Stream, names: RunNames, last: u64) -> Self {
        Self {
            context,
            stream,
            names,
            last,
            version: None,
            versions: 0,
            bulletins: 0,
        }
    }

    async fn send(&mut self, bulletin: Bulletin) -> Result<(), BoardError> {
        self.bulletins += 1;
        let is_due =
            self.versions >= WHOLE_VERSION_INTERVAL || self.bulletins >= WHOLE_BULLETIN_INTERVAL;
        let base = self.version.take().filter(|_| !is_due);
        let published = bulletin
            .version
            .as_ref()
            .map(|published| &published.version);
        let is_whole = published.is_some() && base.is_none();
        let payload = write_bulletin(&bulletin, base.as_deref());
        let subject = self.names.bulletins(is_whole);
        self.publish(subject, payload).await?;
        if let Some(published) = bulletin.version {
            self.version = Some(published.version);
            self.versions += 1;
        } else {
            self.version = base;
        }
        if is_whole {
            (self.versions, self.bulletins) = (0, 0);
        }
        Ok(())
    }

    async fn publish(&mut self, subject: String, payload: Vec<u8>) -> Result<(), BoardError> {
        for _ in 0..MAX_RETRIES {
            let message = PublishMessage::build()
                .payload(payload.clone().into())
                .expected_last_sequence(self.last);
            let sent = self.context.send_publish(subject.clone(), message).await;
            let acknowledged = match sent {
                Ok(sent) => sent.await,
                Err(error) => Err(error),
            };
            match acknowledged {
                Ok(acknowledged) => {
                    self.last = acknowledged.sequence;
                    return Ok(());
                }
                // It may be stored although its acknowledgement was lost.
                Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => {
                    return self.confirm(&payload).await;
                }
                Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                    return Err(remote(error));
                }
                Err(error) => {
                    tracing::debug!(event = "bulletin_retried", %error, "bulletin is sent again");
                    tokio::time::sleep(RETRY_DELAY).await;
                }
            }
        }
        Err(remote("no request succeeded"))
    }

    /// Checks that the bulletin after the last one is this.
    async fn confirm(&mut self, payload: &[u8]) -> Result<(), BoardError> {
        for _ in 0..MAX_RETRIES {
            match self.stream.get_raw_message(self.last + 1).await {
                Ok(stored) if *stored.payload == *payload => {
                    let newest = self.stream.get_info().await.map_err(remote)?;
                    if newest.state.last_sequence != stored.sequence {
                        return Err(BoardError::Fenced);
                    }
                    self.last = stored.sequence;
                    return Ok(());
                }
                Ok(_) => return Err(BoardError::Fenced),
                Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => {
                    return Err(BoardError::Fenced);
                }
                Err(_) => tokio::time::sleep(RETRY_DELAY).await,
            }
        }
        Err(remote("no request succeeded"))
    }
}

impl Board for NatsBoard {
    fn publish(&mut self, bulletin: Bulletin) -> BoxFuture<'_, Result<(), BoardError>> {
        Box::pin(self.send(bulletin))
    }
}

/// The side of a gateway or of a standby.
#[derive(Debug)]
pub struct NatsFollower {
    messages: StreamReader,
    parameters: usize,
    /// The last version.
    version: Option<Arc<Version>>,
}

impl NatsFollower {
    /// Begins to follow at the newest bulletin with a whole version, and returns it. `None` if there is none yet.
    ///
    /// # Errors
    /// Returns an error if the board cannot be read.
    pub async fn begin(
        stream: Stream,
        names: &RunNames,
        parameters: usize,
    ) -> Result<Option<(Self, Bulletin)>, BoardError> {
        let subject = names.bulletins(true);
        match stream.get_last_raw_message_by_subject(&subject).await {
            Ok(newest) => Self::begin_with(stream, &newest, parameters).map(Some),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(remote(error)),
        }
    }

    /// Begins to follow at the oldest bulletin with a whole version, as [`NatsFollower::begin`] does.
    ///
    /// # Errors
    /// Returns an error if the board cannot be read.
    pub async fn begin_at_oldest(
        stream: Stream,
        names: &RunNames,
        parameters: usize,
    ) -> Result<Option<(Self, Bulletin)>, BoardError> {
        let subject = names.bulletins(true);
        match stream.get_first_raw_message_by_subject(&subject, 0).await {
            Ok(oldest) => Self::begin_with(stream, &oldest, parameters).map(Some),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(remote(error)),
        }
    }

    fn begin_with(
        stream: Stream,
        newest: &StreamMessage,
        parameters: usize,
    ) -> Result<(Self, Bulletin), BoardError> {
        let bulletin = read_bulletin(&newest.payload, parameters, None)?;
        let version = bulletin.version.as_ref();
        let follower = Self {
            messages: StreamReader::new(stream, newest.sequence),
            parameters,
            version: version.map(|published| Arc::clone(&published.version)),
        };
        Ok((follower, bulletin))
    }

    /// Returns the next message, as soon as the server can be reached.
    async fn next_message(&mut self) -> Result<Message, BoardError> {
        for _ in 0..MAX_RETRIES {
            match self.messages.next().await {
                Ok((_, message)) => return Ok(message),
                // A board that was emptied, or that is ahead by more than it keeps, cannot be continued.
                Err(StreamError::Missing { .. } | StreamError::Behind { .. }) => {
                    return Err(BoardError::Closed);
                }
                Err(error @ StreamError::Unreachable(_)) => {
                    tracing::debug!(event = "board_read_again", %error, "the board is read again");
                    tokio::time::sleep(RETRY_DELAY).await;
                }
            }
        }
        Err(remote("no request succeeded"))
    }

    async fn next_bulletin(&mut self) -> Result<Bulletin, BoardError> {
        let message = self.next_message().await?;
        let base = self.version.as_deref();
        let bulletin = read_bulletin(&message.payload, self.parameters, base)?;
        if let Some(published) = &bulletin.version {
            self.version = Some(Arc::clone(&published.version));
        }
        Ok(bulletin)
    }
}

impl BoardFollower for NatsFollower {
    fn next(&mut self) -> BoxFuture<'_, Result<Bulletin, BoardError>> {
        Box::pin(self.next_bulletin())
    }
}
