//! The board of one process.

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use crate::run::board::{Board, BoardError, BoardFollower, Bulletin};

/// Bulletins that the gateway has not taken. Further ones wait for it.
const MAX_UNREAD_BULLETINS: usize = 64;

/// The learner's side of a board with one gateway.
#[derive(Debug)]
pub struct EmbeddedBoard(mpsc::Sender<Bulletin>);

/// The gateway's side.
#[derive(Debug)]
pub struct EmbeddedFollower(mpsc::Receiver<Bulletin>);

/// Creates a board with one gateway.
pub fn board() -> (EmbeddedBoard, EmbeddedFollower) {
    let (sender, receiver) = mpsc::channel(MAX_UNREAD_BULLETINS);
    (EmbeddedBoard(sender), EmbeddedFollower(receiver))
}

impl Board for EmbeddedBoard {
    fn publish(&mut self, bulletin: Bulletin) -> BoxFuture<'_, Result<(), BoardError>> {
        Box::pin(async { self.0.send(bulletin).await.map_err(|_| BoardError::Closed) })
    }
}

impl BoardFollower for EmbeddedFollower {
    fn next(&mut self) -> BoxFuture<'_, Result<Bulletin, BoardError>> {
        Box::pin(async { self.0.recv().await.ok_or(BoardError::Closed) })
    }
}
