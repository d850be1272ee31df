//! Replies that wait until their records are durable and taken.

use farsign::task::{RejectReason, VolunteerId};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Gateway;
use super::handle::{JoinReply, TaskRequest, UpdateReply};
use super::registry::{JoinRequest, VolunteerEntry};
use crate::effort::Effort;

/// A reply whose records are not durable yet. Each belongs to the record at an index of its batch.
pub(super) enum PendingReply {
    Join {
        record: usize,
        request: JoinRequest,
        reply: oneshot::Sender<Option<JoinReply>>,
    },
    Update {
        record: usize,
        volunteer: VolunteerId,
        /// The reason for a rejection, if the update was malformed.
        rejected: Option<RejectReason>,
        request: TaskRequest,
        reply: oneshot::Sender<UpdateReply>,
    },
    /// The number of volunteers that were ejected.
    Eject {
        count: usize,
        reply: oneshot::Sender<usize>,
    },
}

/// A durable batch that the learner has not taken.
pub(super) struct AppendedBatch {
    /// The message of each record.
    pub messages: Vec<u64>,
    pub replies: Vec<PendingReply>,
    /// Number of the last message.
    pub last: u64,
    /// Time at which the replies are sent at the latest.
    pub deadline: Instant,
}

impl std::fmt::Debug for AppendedBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppendedBatch")
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}

impl Gateway {
    /// Sends the replies of a batch. A requester that has disconnected is removed by its session's leave command.
    pub(super) fn reply(&mut self, batch: AppendedBatch) {
        let AppendedBatch {
            messages, replies, ..
        } = batch;
        for reply in replies {
            match reply {
                PendingReply::Join {
                    record,
                    request,
                    reply,
                } => {
                    let joined = self.join(VolunteerId(messages[record]), request);
                    if let Err(Some(unsent)) = reply.send(joined) {
                        self.leave(unsent.volunteer);
                    }
                }
                PendingReply::Update {
                    record,
                    volunteer,
                    rejected,
                    request,
                    reply,
                } => {
                    let verdict = rejected.map_or(Ok(messages[record]), Err);
                    _ = reply.send(self.update_reply(verdict, volunteer, &request));
                }
                PendingReply::Eject { count, reply } => _ = reply.send(count),
            }
        }
    }

    /// Adds a volunteer and issues its first task. `None` if the run is finished.
    fn join(&mut self, volunteer: VolunteerId, request: JoinRequest) -> Option<JoinReply> {
        self.issuer.join(volunteer);
        let first = TaskRequest {
            shards: request.shards,
            ..TaskRequest::default()
        };
        let (ejected, ejection) = oneshot::channel();
        let entry = VolunteerEntry::new(request, self.registry.default_effort, ejected);
        entry.log_joined(volunteer);
        self.registry.insert(volunteer, entry);
        let first = self.next_tasks(volunteer, &first).pop();
        first.map(|first| JoinReply {
            volunteer,
            first,
            ejection,
        })
    }

    /// Returns the reply to an update that has closed its task, with the next tasks unless the volunteer is to rest before.
    fn update_reply(
        &mut self,
        verdict: Result<u64, RejectReason>,
        volunteer: VolunteerId,
        request: &TaskRequest,
    ) -> UpdateReply {
        let finished = self.progress.is_finished();
        let effort = self.registry.effort_of(volunteer);
        let rests = effort != Effort::FULL || request.max_open == 0;
        let has_open = self.issuer.open_tasks(volunteer) > 0;
        let next = if finished || rests {
            Vec::new()
        } else {
            self.next_tasks(volunteer, request)
        };
        UpdateReply {
            verdict,
            closed: true,
            next,
            // A volunteer with another open task computes that first.
            rest: (!finished && rests && !has_open).then_some(effort),
            finished,
        }
    }
}
