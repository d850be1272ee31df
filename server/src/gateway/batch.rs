//! One batch: commands in, records to the log.

use std::sync::Arc;

use axum::body::Bytes;
use farsign::learner::Record;
use farsign::sign::{SignBits, SignBitsError};
use farsign::task::{RejectReason, TaskId, VolunteerId};
use farsign::task_issuer::ClosedTask;
use farsign::version::Version;
use tokio::sync::oneshot;

use super::handle::{Command, TaskRequest, UpdateReply};
use super::replies::PendingReply;
use super::{Appending, Gateway};

/// Records of a batch, with the replies that wait for them.
#[derive(Default)]
struct Batch {
    records: Vec<Record>,
    replies: Vec<PendingReply>,
    versions: Vec<Arc<Version>>,
}

/// An update as its session sends it.
struct ReceivedUpdate {
    volunteer: VolunteerId,
    task: TaskId,
    bits: Bytes,
    request: TaskRequest,
    reply: oneshot::Sender<UpdateReply>,
}

impl Gateway {
    /// Handles the commands of a batch, and begins to append its records.
    pub(super) fn handle_batch(&mut self, commands: &mut Vec<Command>) {
        let mut batch = Batch::default();
        for command in commands.drain(..) {
            self.handle_command(command, &mut batch);
        }
        batch.records.append(&mut self.records);
        if batch.records.is_empty() {
            return; // nothing waits for a record
        }
        self.appending = Some(Appending {
            append: self.links.log.append(batch.records),
            replies: batch.replies,
            versions: batch.versions,
        });
    }

    fn handle_command(&mut self, command: Command, batch: &mut Batch) {
        match command {
            Command::Join { request, reply } => {
                if self.progress.is_finished() {
                    _ = reply.send(None); // the requester may have disconnected, here and below
                    return;
                }
                let record = batch.records.len();
                batch.records.push(Record::Join {
                    identity: request.identity,
                    gateway: self.options.id,
                });
                batch.replies.push(PendingReply::Join {
                    record,
                    request,
                    reply,
                });
            }
            Command::Update {
                volunteer,
                task,
                bits,
                request,
                reply,
            } => self.handle_update(
                ReceivedUpdate {
                    volunteer,
                    task,
                    bits,
                    request,
                    reply,
                },
                batch,
            ),
            Command::Resume {
                volunteer,
                request,
                reply,
            } => _ = reply.send(self.next_tasks(volunteer, &request)),
            Command::Leave { volunteer } => self.leave(volunteer),
            Command::Sessions { reply } => _ = reply.send(self.sessions()),
            Command::Eject {
                target,
                reason,
                reply,
            } => {
                let ejected = self.registry.matching(target);
                let count = ejected.len();
                if count == 0 {
                    _ = reply.send(0);
                    return;
                }
                let eject = |volunteer| Record::Eject { volunteer, reason };
                batch.records.extend(ejected.into_iter().map(eject));
                batch.replies.push(PendingReply::Eject { count, reply });
            }
            Command::SetEffort {
                volunteer,
                effort,
                reply,
            } => _ = reply.send(self.set_effort(volunteer, effort)),
            Command::Stop => self.queue.close(), // queued commands are still handled
        }
    }

    fn handle_update(&mut self, update: ReceivedUpdate, batch: &mut Batch) {
        let ReceivedUpdate {
            volunteer,
            task,
            bits,
            request,
            reply,
        } = update;
        if self.progress.is_finished() {
            let reason = RejectReason::RunFinished;
            self.reject(volunteer, task, reason);
            _ = reply.send(UpdateReply::finished());
            return;
        }
        let ClosedTask {
            task: closed,
            version,
        } = match self.issuer.close(volunteer, task) {
            Ok(closed) => closed,
            Err(reason) => {
                self.reject(volunteer, task, reason);
                _ = reply.send(UpdateReply::rejected(reason));
                return;
            }
        };
        batch.versions.extend(version.0);
        let (signs, rejected) =
            match SignBits::from_bytes(&bits, self.options.run.directions.count()) {
                Ok(signs) => (Some(Arc::new(signs)), None),
                Err(SignBitsError::Length { .. }) => (None, Some(RejectReason::WrongBitCount)),
                Err(SignBitsError::Spare { .. }) => (None, Some(RejectReason::SpareBitsSet)),
            };
        if let Some(reason) = rejected {
            self.issuer.reset(volunteer);
            self.reject(volunteer, task, reason);
        }
        let record = batch.records.len();
        batch.records.push(Record::Update {
            volunteer,
            task: closed,
            signs,
        });
        batch.replies.push(PendingReply::Update {
            record,
            volunteer,
            rejected,
            request,
            reply,
        });
    }

    /// Counts a rejected update.
    fn reject(&self, volunteer: VolunteerId, task: TaskId, reason: RejectReason) {
        self.links.counters.update_rejected(reason);
        let volunteer = volunteer.0;
        let task = task.0;
        let reason = reason.name();
        tracing::debug!(
            event = "rejected",
            volunteer,
            task,
            reason,
            "update rejected"
        );
    }

    /// Removes a volunteer that has left. Ignored if it is not connected.
    pub(super) fn leave(&mut self, volunteer: VolunteerId) {
        self.issuer.leave(volunteer);
        if self.registry.remove(volunteer) {
            self.records.push(Record::Leave(volunteer));
        }
    }
}
