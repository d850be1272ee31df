//! One batch: commands in, one snapshot, replies out.

use std::time::Instant;

use cpu_time::ThreadTime;
use farsign::task::VolunteerId;
use farsign::training_server::UpdateOutcome;
use tokio::sync::oneshot;

use super::Coordinator;
use super::handle::{Command, JoinReply, TaskAssignment, TaskRequest, UpdateReply};
use super::registry::JoinRequest;
use crate::effort::Effort;

/// A request whose reply waits for the snapshot that contains everything before it.
pub(super) enum Request {
    Join(JoinRequest, oneshot::Sender<Option<JoinReply>>),
    Update(
        UpdateOutcome,
        VolunteerId,
        TaskRequest,
        oneshot::Sender<UpdateReply>,
    ),
    Resume(
        VolunteerId,
        TaskRequest,
        oneshot::Sender<Vec<TaskAssignment>>,
    ),
}

/// A reply held back until its batch is durable.
pub(super) enum PreparedReply {
    Join(oneshot::Sender<Option<JoinReply>>, Option<JoinReply>),
    Update(oneshot::Sender<UpdateReply>, UpdateReply),
    Resume(oneshot::Sender<Vec<TaskAssignment>>, Vec<TaskAssignment>),
}

impl PreparedReply {
    /// Sends the reply. A requester that has disconnected is removed by its session's leave command.
    pub fn send(self) {
        match self {
            Self::Join(reply, joined) => _ = reply.send(joined),
            Self::Update(reply, outcome) => _ = reply.send(outcome),
            Self::Resume(reply, next) => _ = reply.send(next),
        }
    }
}

impl Coordinator {
    /// Handles the commands of a batch, makes a snapshot, and prepares the replies.
    pub(super) fn handle_batch(
        &mut self,
        commands: &mut Vec<Command>,
        requests: &mut Vec<Request>,
        replies: &mut Vec<PreparedReply>,
    ) {
        let start = ThreadTime::now(); // CPU time, so that waiting for a core does not count
        requests.extend(
            commands
                .drain(..)
                .filter_map(|command| self.handle_command(command)),
        );
        self.make_snapshot();
        let is_update = |request: &&Request| matches!(request, Request::Update(..));
        let updates = requests.iter().filter(is_update).count();
        replies.extend(
            requests
                .drain(..)
                .map(|request| self.prepare_reply(request)),
        );
        self.pace.record_batch(updates, start.elapsed());
        let accepted = self.training.optimizer().accepted();
        let training = &self.training;
        self.pace
            .measure_verification(Instant::now(), accepted, || {
                training.learner().recomputed_fraction()
            });
    }

    fn handle_command(&mut self, command: Command) -> Option<Request> {
        match command {
            Command::Join { request, reply } => {
                self.publication.expedite();
                return Some(Request::Join(request, reply));
            }
            Command::Update {
                volunteer,
                task,
                bits,
                request,
                reply,
            } => {
                let outcome = self.handle_update(volunteer, task, &bits);
                return Some(Request::Update(outcome, volunteer, request, reply));
            }
            Command::Resume {
                volunteer,
                request,
                reply,
            } => return Some(Request::Resume(volunteer, request, reply)),
            Command::Leave { volunteer } => self.handle_leave(volunteer),
            Command::Verified(result) => self.handle_verification(result),
            // The requesters below may have disconnected.
            Command::AcceptedCounts { identities, reply } => {
                _ = reply.send(self.accepted_counts(&identities));
            }
            Command::List { reply } => _ = reply.send(self.list(Instant::now())),
            Command::Eject {
                target,
                reason,
                reply,
            } => _ = reply.send(self.eject(target, reason)),
            Command::SetEffort {
                volunteer,
                effort,
                reply,
            } => _ = reply.send(self.set_effort(volunteer, effort)),
            Command::Stop => {}
        }
        None
    }

    fn prepare_reply(&mut self, request: Request) -> PreparedReply {
        match request {
            Request::Join(request, reply) => PreparedReply::Join(reply, self.join(request)),
            Request::Resume(volunteer, request, reply) => {
                PreparedReply::Resume(reply, self.next_tasks(volunteer, &request))
            }
            Request::Update(outcome, volunteer, request, reply) => {
                PreparedReply::Update(reply, self.update_reply(outcome, volunteer, &request))
            }
        }
    }

    /// Returns the reply to an update, with the next tasks unless the volunteer is to rest before.
    fn update_reply(
        &mut self,
        UpdateOutcome { verdict, closed }: UpdateOutcome,
        volunteer: VolunteerId,
        request: &TaskRequest,
    ) -> UpdateReply {
        let finished = self.training.optimizer().is_finished();
        let continues = closed && !finished;
        let effort = self.registry.effort_of(volunteer);
        let rests = effort != Effort::FULL || request.max_open == 0;
        let has_open = self.training.open_tasks(volunteer) > 0;
        let next = if continues && !rests {
            self.next_tasks(volunteer, request)
        } else {
            Vec::new()
        };
        UpdateReply {
            verdict: verdict.map(|accepted| accepted.update),
            closed,
            next,
            // A volunteer with another open task computes that first.
            rest: (continues && rests && !has_open).then_some(effort),
            finished,
        }
    }
}
