//! Tasks and updates of a session.

use std::time::Duration;

use axum::body::Bytes;
use farsign::task::{GoodbyeReason, RejectReason, TaskId, VolunteerId};
use farsign::wire::{ClientRecord, ServerFrame, read_client_frame};
use tokio::time::Instant;

use super::Session;
use super::close::SessionEnd;
use crate::effort::Effort;
use crate::gateway::{TaskAssignment, TaskRequest, UpdateReply};

/// Rejected updates in a row after which a session ends.
const MAX_REJECTED_IN_A_ROW: u32 = 8;

impl Session {
    pub(super) async fn handle_frame(
        &mut self,
        volunteer: VolunteerId,
        frame: &Bytes,
    ) -> Result<(), SessionEnd> {
        let now = Instant::now();
        match read_client_frame(frame)? {
            ClientRecord::Update { task, bits } => {
                self.transport.reset_control_frames();
                let bits = frame.slice_ref(bits);
                self.handle_update(volunteer, task, bits, now).await
            }
            ClientRecord::VersionRequest { task } => self.replace_tasks(volunteer, task).await,
            ClientRecord::Rest { ms } => self.handle_rest(ms, now),
            ClientRecord::Shards { held } => {
                self.transport.count_control_frame()?;
                self.take_shards(held)
            }
            ClientRecord::LineRate { bytes_per_s } => {
                self.transport.count_control_frame()?;
                self.pacing.on_line_rate(bytes_per_s);
                Ok(())
            }
            ClientRecord::Hello(_) => Err(SessionEnd::Goodbye(GoodbyeReason::Malformed)),
        }
    }

    /// Records a rest. If the volunteer has no open task, the next one comes when it ends.
    fn handle_rest(&mut self, ms: u32, now: Instant) -> Result<(), SessionEnd> {
        self.transport.count_control_frame()?;
        self.pacing.on_rest(Duration::from_millis(ms.into()), now);
        if self.pacing.is_idle() {
            let (effort, worked) = self.last_work;
            self.delay_next_task(now, effort, worked);
        }
        Ok(())
    }

    /// Replaces the open tasks by one against a whole version, for a volunteer whose version has other bits than it
    /// should. That can be the fault of a cache or a relay and costs no trust, but it counts as a rejected update.
    ///
    /// Of two open tasks both are closed, because the second continues the momentum of the first. A request that crossed
    /// such a replacement names a task that is no longer open, and is only counted.
    async fn replace_tasks(
        &mut self,
        volunteer: VolunteerId,
        task: TaskId,
    ) -> Result<(), SessionEnd> {
        self.context
            .counters
            .update_rejected(RejectReason::VersionMissing);
        self.rejected_in_a_row += 1;
        if self.rejected_in_a_row >= MAX_REJECTED_IN_A_ROW {
            return Err(SessionEnd::Goodbye(GoodbyeReason::TooManyRejects));
        }
        if !self.pacing.is_open(task) {
            return Ok(());
        }
        self.pacing.on_tasks_replaced();
        self.sent_version = None;
        let request = TaskRequest {
            replaces_open: true,
            ..self.pacing.request_after_rest()
        };
        self.send_requested(volunteer, request).await
    }

    async fn handle_update(
        &mut self,
        volunteer: VolunteerId,
        task: TaskId,
        bits: Bytes,
        received: Instant,
    ) -> Result<(), SessionEnd> {
        self.reserve_next_task(received);
        if self.task_bytes > 0 && self.pacing.is_open(task) {
            self.pacing
                .on_task_bytes(self.task_bytes + bits.len() as u64);
        }
        let request = self.pacing.request(task, received);
        let coordinator = &self.context.gateway;
        let reply = coordinator.update(volunteer, task, bits, request).await;
        let reply = reply.map_err(|_| SessionEnd::Goodbye(GoodbyeReason::ShuttingDown))?;
        if reply.closed {
            let worked = self.pacing.on_task_closed(received);
            if let Some(effort) = reply.rest {
                self.delay_next_task(received, effort, worked);
            }
        }
        self.send_reply(task, &reply).await
    }

    /// Reserves the bytes of the next task, which is held until the limits of the egress allow it. A held task has its
    /// reservation already.
    fn reserve_next_task(&mut self, now: Instant) {
        if !self.pacing.is_held() {
            let wait = self.transport.reserve_task(self.task_bytes);
            self.pacing.hold(wait, now);
        }
    }

    /// Delays the next task.
    fn delay_next_task(&mut self, now: Instant, effort: Effort, worked: Duration) {
        self.last_work = (effort, worked);
        self.transport
            .set_deadline(self.pacing.resumes(now, effort, worked));
    }

    /// Sends the next task after a delay.
    pub(super) async fn resume(&mut self, volunteer: VolunteerId) -> Result<(), SessionEnd> {
        let request = self.pacing.request_after_rest();
        self.send_requested(volunteer, request).await
    }

    /// Requests tasks and sends them in a frame of their own.
    async fn send_requested(
        &mut self,
        volunteer: VolunteerId,
        request: TaskRequest,
    ) -> Result<(), SessionEnd> {
        let next = self.context.gateway.resume(volunteer, request).await;
        let next = next.map_err(|_| SessionEnd::Goodbye(GoodbyeReason::ShuttingDown))?;
        if next.is_empty() {
            return Err(SessionEnd::Goodbye(GoodbyeReason::RunFinished));
        }
        ServerFrame::new(&mut self.transport.frame);
        self.send_with_tasks(&next).await
    }

    /// Adds tasks to the frame in preparation, and sends it. The next deadline is the timeout of the first open task.
    pub(super) async fn send_with_tasks(
        &mut self,
        next: &[TaskAssignment],
    ) -> Result<(), SessionEnd> {
        if !next.is_empty() && self.pacing.ping_is_due(Instant::now()) {
            self.transport.ping(true).await?; // before the tasks, so that the volunteer does not compute first
        }
        next.iter().for_each(|next| self.push_task(next));
        if !next.is_empty() && self.pacing.has_closed_task() {
            self.task_bytes = self.transport.frame.len() as u64;
        }
        self.transport.send().await?;
        let sent = Instant::now();
        for TaskAssignment { task, .. } in next {
            self.pacing.on_task_sent(task.id, task.images, sent);
        }
        if let Some(deadline) = self.pacing.times_out(self.context.limits.task_timeout) {
            self.transport.set_deadline(deadline);
        }
        Ok(())
    }

    /// Acknowledges an update, with the next tasks in the same frame.
    async fn send_reply(&mut self, task: TaskId, reply: &UpdateReply) -> Result<(), SessionEnd> {
        let mut frame = ServerFrame::new(&mut self.transport.frame);
        match reply.verdict {
            Ok(accepted) => {
                frame.accepted(task, accepted);
                self.rejected_in_a_row = 0;
                self.has_accepted = true;
            }
            Err(reason) => {
                frame.rejected(task, reason);
                self.rejected_in_a_row += 1;
            }
        }
        self.send_with_tasks(&reply.next).await?;
        match () {
            () if reply.finished => Err(SessionEnd::Goodbye(GoodbyeReason::RunFinished)),
            () if self.rejected_in_a_row >= MAX_REJECTED_IN_A_ROW => {
                Err(SessionEnd::Goodbye(GoodbyeReason::TooManyRejects))
            }
            () => Ok(()),
        }
    }

    /// Adds a task to the frame, after its version if that is not the one that was sent last.
    fn push_task(&mut self, next: &TaskAssignment) {
        let version = next.task.version;
        let sent = self.sent_version.replace(version);
        let mut frame = ServerFrame::append(&mut self.transport.frame);
        if sent != Some(version) {
            frame.version(&next.snapshot.encoded_since(sent));
        }
        frame.task(&next.task);
    }
}
