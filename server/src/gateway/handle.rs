//! The handle of the gateway: commands into its queue, and their replies.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Bytes;
use farsign::identity::VolunteerIdentity;
use farsign::task::{GoodbyeReason, RejectReason, Task, TaskId, VolunteerId};
use farsign::task_sizing::VolunteerPace;
use tokio::sync::{mpsc, oneshot, watch};

use super::registry::{EjectTarget, JoinRequest};
use super::snapshot::Snapshot;
use super::{Sessions, VolunteerListing};
use crate::effort::Effort;
use crate::run::reports::{NoLearner, Reports};

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
    /// Number of its message in the log, or the reason for its rejection.
    pub verdict: Result<u64, RejectReason>,
    /// Whether the update closed its task.
    pub closed: bool,
    /// The next tasks, in order: up to two, if the update closed a task and the run continues.
    pub next: Vec<TaskAssignment>,
    /// The volunteer's effort, if it rests before its next task or that task is held. [`GatewayHandle::resume`] issues
    /// that task.
    pub rest: Option<Effort>,
    /// Whether the run is finished.
    pub finished: bool,
}

impl UpdateReply {
    /// Creates the reply to an update that closed no task.
    pub(super) fn rejected(reason: RejectReason) -> Self {
        Self {
            verdict: Err(reason),
            closed: false,
            next: Vec::new(),
            rest: None,
            finished: false,
        }
    }

    /// Creates the reply to an update after the end of the run.
    pub(super) fn finished() -> Self {
        Self {
            finished: true,
            ..Self::rejected(RejectReason::RunFinished)
        }
    }
}

/// A command for the gateway.
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
    Sessions {
        reply: oneshot::Sender<Sessions>,
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

/// A handle of the gateway.
#[derive(Clone, Debug)]
pub struct GatewayHandle {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
    pub(super) accepted: Arc<AtomicU64>,
    pub(super) reports: Arc<dyn Reports>,
}

/// The error of every request after the gateway has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server is stopping")]
pub struct GatewayStopped;

impl From<NoLearner> for GatewayStopped {
    fn from(_: NoLearner) -> Self {
        Self
    }
}

/// Every method with a `Result` returns an error if the gateway has stopped.
#[allow(clippy::missing_errors_doc)]
impl GatewayHandle {
    /// Adds a volunteer and returns its first task. `None` if the run is finished. Another session of the same identity is
    /// ejected.
    pub async fn join(&self, request: JoinRequest) -> Result<Option<JoinReply>, GatewayStopped> {
        self.request(|reply| Command::Join { request, reply }).await
    }

    /// Adds an update to the log, `bits` being one sign bit per direction, and issues the requested tasks.
    pub async fn update(
        &self,
        volunteer: VolunteerId,
        task: TaskId,
        bits: Bytes,
        request: TaskRequest,
    ) -> Result<UpdateReply, GatewayStopped> {
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
    ) -> Result<Vec<TaskAssignment>, GatewayStopped> {
        self.request(|reply| Command::Resume {
            volunteer,
            request,
            reply,
        })
        .await
    }

    /// Lists connected volunteers and recent ejections.
    pub async fn list(&self) -> Result<VolunteerListing, GatewayStopped> {
        let sessions = self.request(|reply| Command::Sessions { reply }).await?;
        let reports = self.reports.volunteers().await?;
        Ok(sessions.with_reports(&reports))
    }

    /// Returns the accepted updates of each identity over all its sessions.
    pub async fn accepted_counts(
        &self,
        identities: Vec<VolunteerIdentity>,
    ) -> Result<HashMap<VolunteerIdentity, u64>, GatewayStopped> {
        Ok(self.reports.accepted_counts(identities).await?)
    }

    /// Ejects volunteers with a reason and returns how many.
    pub async fn eject(
        &self,
        target: EjectTarget,
        reason: GoodbyeReason,
    ) -> Result<usize, GatewayStopped> {
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
    ) -> Result<usize, GatewayStopped> {
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
    ) -> Result<T, GatewayStopped> {
        let (sender, reply) = oneshot::channel();
        self.commands
            .send(command(sender))
            .await
            .map_err(|_| GatewayStopped)?;
        reply.await.map_err(|_| GatewayStopped)
    }

    /// Removes a volunteer. A stopped gateway has none.
    pub async fn leave(&self, volunteer: VolunteerId) {
        _ = self.commands.send(Command::Leave { volunteer }).await;
    }

    /// Stops the gateway and waits until it has handled all earlier commands.
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
