//! A learner without the seat: it takes the same entries, and publishes nothing.

use std::collections::VecDeque;
use std::time::Duration;

use async_nats::jetstream::stream::{LastRawMessageErrorKind, Stream};
use farsign_server::learner::LiveLearner;
use farsign_server::run::board::{BoardFollower, Bulletin, Notice};
use farsign_server::run::log::{Entry, LogReader};
use futures_util::future::OptionFuture;
use tokio::time::MissedTickBehavior;

use crate::ClusterError;
use crate::board::NatsFollower;
use crate::board::bulletin::read_message_number;
use crate::error::failed;
use crate::log::reader::NatsReader;
use crate::names::RunNames;
use crate::run::seat::Seat;

/// Time between two attempts to follow the board.
const FOLLOW_INTERVAL: Duration = Duration::from_secs(1);

/// A standby.
#[derive(Debug)]
pub struct Standby {
    live: LiveLearner,
    reader: NatsReader,
    board: Stream,
    names: RunNames,
    /// `None` while there is nothing to follow.
    follower: Option<NatsFollower>,
    /// What happened to volunteers, by message, and is not on the board.
    notices: VecDeque<(u64, Notice)>,
}

/// A learner that has the seat.
#[derive(Debug)]
pub struct Successor {
    /// The learner.
    pub live: LiveLearner,
    /// The entries after those that it has taken.
    pub reader: NatsReader,
    /// Number of the newest bulletin on the board.
    pub last_bulletin: u64,
    /// Its first bulletin, with a version.
    pub first: Bulletin,
}

impl Standby {
    /// Creates a standby from a learner and the reader of what comes after it.
    pub fn new(live: LiveLearner, reader: NatsReader, board: Stream, names: RunNames) -> Self {
        Self {
            live,
            reader,
            board,
            names,
            follower: None,
            notices: VecDeque::new(),
        }
    }

    /// Takes entries until it has the seat.
    ///
    /// # Errors
    /// Returns an error if the log cannot be read.
    pub async fn wait(&mut self, seat: impl Future<Output = Seat>) -> Result<Seat, ClusterError> {
        let mut attempts = tokio::time::interval(FOLLOW_INTERVAL);
        attempts.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(seat);
        loop {
            let is_following = self.follower.is_some();
            let followed: OptionFuture<_> = self.follower.as_mut().map(BoardFollower::next).into();
            tokio::select! {
                seat = &mut seat => return Ok(seat),
                entries = self.reader.next() => {
                    let entries = entries?.unwrap_or_default();
                    self.take(&entries);
                }
                Some(followed) = followed => match followed {
                    Ok(bulletin) => self.observe(&bulletin),
                    Err(error) => {
                        tracing::debug!(event = "board_read_again", %error, "the board is read again");
                        self.follower = None;
                    }
                },
                _ = attempts.tick(), if !is_following => self.follow().await,
            }
        }
    }

    async fn follow(&mut self) {
        let parameters = self.live.learner().optimizer().x().len();
        let begun = NatsFollower::begin(self.board.clone(), &self.names, parameters).await;
        if let Ok(Some((follower, first))) = begun {
            self.observe(&first);
            self.follower = Some(follower);
        }
    }

    fn take(&mut self, entries: &[Entry]) {
        for message in entries.chunk_by(|entry, next| entry.message == next.message) {
            let mut notices = Vec::new();
            self.live.take(message, &mut notices);
            let number = self.live.message();
            let numbered = notices.into_iter().map(|notice| (number, notice));
            self.notices.extend(numbered);
        }
        while self.live.poll_job().is_some() {} // offered by the learner that has the seat
    }

    /// Remembers the version of a bulletin, and forgets the notices in it.
    fn observe(&mut self, bulletin: &Bulletin) {
        if let Some(published) = &bulletin.version {
            self.live.remember(&published.version);
        }
        let is_published = |(message, _): &mut (u64, Notice)| *message <= bulletin.message;
        while self.notices.pop_front_if(is_published).is_some() {}
    }

    /// Takes what is published already, and returns the learner with the first bulletin that it publishes itself.
    ///
    /// # Errors
    /// Returns an error if the log or the board cannot be read.
    pub async fn succeed(mut self) -> Result<Successor, ClusterError> {
        let newest = self
            .board
            .get_last_raw_message_by_subject(&self.names.board_subjects())
            .await;
        let (last_bulletin, published) = match newest {
            Ok(newest) => (newest.sequence, read_message_number(&newest.payload)?),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => (0, 0),
            Err(error) => return Err(failed("read the board")(error)),
        };
        while self.live.message() < published {
            let entries = self.reader.next().await?.unwrap_or_default();
            self.take(&entries);
        }
        self.notices.retain(|(message, _)| *message > published);
        let notices = self.notices.into_iter().map(|(_, notice)| notice).collect();
        let version = self.live.current_version();
        let first = self.live.bulletin(Some(version), notices);
        Ok(Successor {
            live: self.live,
            reader: self.reader,
            last_bulletin,
            first,
        })
    }
}
