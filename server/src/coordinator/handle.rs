//! How sessions talk to the coordinator: commands into its queue, and what it replies.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Bytes;
use farsign::task::{GoodbyeReason, RejectReason, Task, TaskId, VolunteerId};
use tokio::sync::{mpsc, oneshot, watch};

use super::checks::Checked;
use super::departure::Whom;
use super::member::Newcomer;
use super::roster::Roster;
use super::snapshot::Snapshot;
use crate::admission::identity::Identity;
use crate::effort::Effort;

/// A task with the snapshot it was issued against.
#[derive(Debug)]
pub struct NextTask {
    /// What to do.
    pub task: Task,
    /// What to do it with.
    pub snapshot: Arc<Snapshot>,
}

/// A place in the run.
#[derive(Debug)]
pub struct Joined {
    /// The session's id.
    pub volunteer: VolunteerId,
    /// Its first task.
    pub first: NextTask,
    /// Says why, when the volunteer is removed.
    pub removal: oneshot::Receiver<GoodbyeReason>,
}

/// What became of an answer.
#[derive(Debug)]
pub struct Outcome {
    /// The number of accepted contributions, this one included; or why it was not applied.
    pub verdict: Result<u64, RejectReason>,
    /// The next task, when the answer closed the last one and the run goes on.
    pub next: Option<NextTask>,
    /// In place of the next task, when the volunteer is to rest first: its effort. [`Handle::rested`] gives the task.
    pub rest: Option<Effort>,
    /// Whether the run is finished.
    pub finished: bool,
}

/// What a session asks for.
#[derive(Debug)]
pub(super) enum Command {
    Join { who: Newcomer, reply: oneshot::Sender<Option<Joined>> },
    Answer { volunteer: VolunteerId, task: TaskId, bits: Bytes, reply: oneshot::Sender<Outcome> },
    Leave { volunteer: VolunteerId },
    Checked(Checked),
    AcceptedOf { identities: Vec<Identity>, reply: oneshot::Sender<HashMap<Identity, u64>> },
    List { reply: oneshot::Sender<Roster> },
    SetEffort { whom: Option<VolunteerId>, effort: Effort, reply: oneshot::Sender<usize> },
    Rested { volunteer: VolunteerId, reply: oneshot::Sender<Option<NextTask>> },
    Remove { whom: Whom, reason: GoodbyeReason, reply: oneshot::Sender<usize> },
    Stop,
}

/// How sessions talk to the coordinator.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
}

/// The coordinator has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server is stopping")]
pub struct Stopped;

impl Handle {
    /// Takes up a volunteer and gives it its first task; none when the run is finished. If it is there already, its
    /// other session ends.
    ///
    /// # Errors
    /// When the coordinator has stopped.
    pub async fn join(&self, who: Newcomer) -> Result<Option<Joined>, Stopped> {
        self.ask(|reply| Command::Join { who, reply }).await
    }

    /// Hands in an answer.
    ///
    /// # Errors
    /// When the coordinator has stopped.
    pub async fn answer(
        &self,
        volunteer: VolunteerId,
        task: TaskId,
        bits: Bytes,
    ) -> Result<Outcome, Stopped> {
        self.ask(|reply| Command::Answer { volunteer, task, bits, reply }).await
    }

    /// Who is there, and who was sent away.
    ///
    /// # Errors
    /// When the coordinator has stopped.
    pub async fn roster(&self) -> Result<Roster, Stopped> {
        self.ask(|reply| Command::List { reply }).await
    }

    /// How many answers were accepted of each of these volunteers, in all their sessions.
    ///
    /// # Errors
    /// When the coordinator has stopped.
    pub async fn accepted_of(&self, identities: Vec<Identity>) -> Result<HashMap<Identity, u64>, Stopped> {
        self.ask(|reply| Command::AcceptedOf { identities, reply }).await
    }

    /// Ends sessions and tells them why; how many there were.
    ///
    /// # Errors
    /// When the coordinator has stopped.
    pub async fn remove(&self, whom: Whom, reason: GoodbyeReason) -> Result<usize, Stopped> {
        self.ask(|reply| Command::Remove { whom, reason, reply }).await
    }

    /// Sets the effort of a volunteer; or of all that are there or join from now on. Gives how many are there.
    ///
    /// # Errors
    /// When the coordinator has stopped.
    pub(crate) async fn set_effort(
        &self,
        whom: Option<VolunteerId>,
        effort: Effort,
    ) -> Result<usize, Stopped> {
        self.ask(|reply| Command::SetEffort { whom, effort, reply }).await
    }

    /// The next task of a volunteer that has rested; none when the run is finished, or the volunteer was removed.
    ///
    /// # Errors
    /// When the coordinator has stopped.
    pub async fn rested(&self, volunteer: VolunteerId) -> Result<Option<NextTask>, Stopped> {
        self.ask(|reply| Command::Rested { volunteer, reply }).await
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// Forgets a volunteer.
    pub async fn leave(&self, volunteer: VolunteerId) {
        _ = self.commands.send(Command::Leave { volunteer }).await; // a stopped coordinator has forgotten everyone
    }

    /// Stops the coordinator, and waits until it has done what was asked of it before.
    pub async fn stop(&self) {
        _ = self.commands.send(Command::Stop).await; // one that has stopped already is as good
        let mut snapshots = self.snapshots.clone();
        while snapshots.changed().await.is_ok() {}
    }

    /// The newest snapshot.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }

    /// Follows the snapshots as they are published.
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }
}
