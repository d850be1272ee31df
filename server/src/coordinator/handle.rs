//! The handle of the coordinator: commands into its queue, and their replies.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Bytes;
use farsign::identity::VolunteerIdentity;
use farsign::learner::VerificationResult;
use farsign::task::{GoodbyeReason, RejectReason, Task, TaskId, VolunteerId};
use farsign::task_sizing::VolunteerPace;
use tokio::sync::{mpsc, oneshot, watch};

use super::registry::{EjectTarget, JoinRequest};
use super::snapshot::Snapshot;
use super::telemetry::VolunteerListing;
use crate::effort::Effort;

/// A task with the snapshot that it was issued against.
#[derive(Debug)]
pub struct TaskAssignment {
    /// The task.
    pub task: Task,
    /// The snapshot.
    pub snapshot: Arc<Snapshot>,
}

/// The reply to a join request.
#[derive(Debug)]
pub struct JoinReply {
    /// Id of the session.
    pub volunteer: VolunteerId,
    /// The first task.
    pub first: TaskAssignment,
    /// Receives the reason if the volunteer is ejected.
    pub ejection: oneshot::Receiver<GoodbyeReason>,
}

/// A session's request for its volunteer's next tasks.
#[derive(Clone, Copy, Debug)]
pub struct TaskRequest {
    /// The volunteer's measured pace.
    pub pace: VolunteerPace,
    /// Number of shards of the training data that it holds, at least 1 and at most all.
    pub shards: u16,
    /// Largest number of open tasks; 0 if the volunteer is to rest, or its next task is held.
    pub max_open: usize,
    /// Whether open tasks are closed first, because the volunteer does not hold a version.
    pub replaces_open: bool,
}

impl Default for TaskRequest {
    /// Requests one task for a volunteer of unknown pace, which holds the first shard.
    fn default() -> Self {
        Self {
            pace: VolunteerPace::default(),
            shards: 1,
            max_open: 1,
            replaces_open: false,
        }
    }
}

/// The reply to an update.
#[derive(Debug)]
pub struct UpdateReply {
    /// Number of accepted updates including this one, or the reason for its rejection.
    pub verdict: Result<u64, RejectReason>,
    /// Whether the update closed its task.
    pub closed: bool,
    /// The next tasks, in order: up to two, if the update closed a task and the run continues.
    pub next: Vec<TaskAssignment>,
    /// The volunteer's effort, if it rests before its next task or that task is held. [`CoordinatorHandle::resume`] issues
    /// that task.
    pub rest: Option<Effort>,
    /// Whether the run is finished.
    pub finished: bool,
}

/// A command for the coordinator.
#[derive(Debug)]
pub(super) enum Command {
    Join {
        request: JoinRequest,
        reply: oneshot::Sender<Option<JoinReply>>,
    },
    Update {
        volunteer: VolunteerId,
        task: TaskId,
        bits: Bytes,
        request: TaskRequest,
        reply: oneshot::Sender<UpdateReply>,
    },
    Resume {
        volunteer: VolunteerId,
        request: TaskRequest,
        reply: oneshot::Sender<Vec<TaskAssignment>>,
    },
    Leave {
        volunteer: VolunteerId,
    },
    Verified(VerificationResult),
    AcceptedCounts {
        identities: Vec<VolunteerIdentity>,
        reply: oneshot::Sender<HashMap<VolunteerIdentity, u64>>,
    },
    List {
        reply: oneshot::Sender<VolunteerListing>,
    },
    Eject {
        target: EjectTarget,
        reason: GoodbyeReason,
        reply: oneshot::Sender<usize>,
    },
    SetEffort {
        volunteer: Option<VolunteerId>,
        effort: Effort,
        reply: oneshot::Sender<usize>,
    },
    Stop,
}

/// A handle of the coordinator.
#[derive(Clone, Debug)]
pub struct CoordinatorHandle {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
    pub(super) accepted: Arc<AtomicU64>,
}

/// The error of every request after the coordinator has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server is stopping")]
pub struct CoordinatorStopped;

/// Every method with a `Result` returns an error if the coordinator has stopped.
#[allow(clippy::missing_errors_doc)]
impl CoordinatorHandle {
    /// Adds a volunteer and returns its first task. `None` if the run is finished. Another session of the same identity is
    /// ejected.
    pub async fn join(
        &self,
        request: JoinRequest,
    ) -> Result<Option<JoinReply>, CoordinatorStopped> {
        self.request(|reply| Command::Join { request, reply }).await
    }

    /// Applies an update, `bits` being one sign bit per direction, and issues the requested tasks.
    pub async fn update(
        &self,
        volunteer: VolunteerId,
        task: TaskId,
        bits: Bytes,
        request: TaskRequest,
    ) -> Result<UpdateReply, CoordinatorStopped> {
        self.request(|reply| Command::Update {
            volunteer,
            task,
            bits,
            request,
            reply,
        })
        .await
    }

    /// Issues the next tasks of a volunteer that has rested or replaces its open ones: none if the run is finished or the volunteer was ejected.
    pub async fn resume(
        &self,
        volunteer: VolunteerId,
        request: TaskRequest,
    ) -> Result<Vec<TaskAssignment>, CoordinatorStopped> {
        self.request(|reply| Command::Resume {
            volunteer,
            request,
            reply,
        })
        .await
    }

    /// Lists connected volunteers and recent ejections.
    pub async fn list(&self) -> Result<VolunteerListing, CoordinatorStopped> {
        self.request(|reply| Command::List { reply }).await
    }

    /// Returns the accepted updates of each identity over all its sessions.
    pub async fn accepted_counts(
        &self,
        identities: Vec<VolunteerIdentity>,
    ) -> Result<HashMap<VolunteerIdentity, u64>, CoordinatorStopped> {
        self.request(|reply| Command::AcceptedCounts { identities, reply })
            .await
    }

    /// Ejects volunteers with a reason and returns how many.
    pub async fn eject(
        &self,
        target: EjectTarget,
        reason: GoodbyeReason,
    ) -> Result<usize, CoordinatorStopped> {
        self.request(|reply| Command::Eject {
            target,
            reason,
            reply,
        })
        .await
    }

    /// Sets the effort of one volunteer, or of all volunteers now and later. Returns how many are connected.
    pub(crate) async fn set_effort(
        &self,
        volunteer: Option<VolunteerId>,
        effort: Effort,
    ) -> Result<usize, CoordinatorStopped> {
        self.request(|reply| Command::SetEffort {
            volunteer,
            effort,
            reply,
        })
        .await
    }

    async fn request<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, CoordinatorStopped> {
        let (sender, reply) = oneshot::channel();
        self.commands
            .send(command(sender))
            .await
            .map_err(|_| CoordinatorStopped)?;
        reply.await.map_err(|_| CoordinatorStopped)
    }

    /// Removes a volunteer. A stopped coordinator has none.
    pub async fn leave(&self, volunteer: VolunteerId) {
        _ = self.commands.send(Command::Leave { volunteer }).await;
    }

    /// Stops the coordinator and waits until it has handled all earlier commands.
    pub async fn stop(&self) {
        _ = self.commands.send(Command::Stop).await; // fails if it has stopped already
        let mut snapshots = self.snapshots.clone();
        while snapshots.changed().await.is_ok() {}
    }

    /// Returns the number of accepted updates. The newest snapshot can lack some of them.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Acquire)
    }

    /// Returns the newest snapshot.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }

    /// Subscribes to snapshots.
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }
}
