//! The updates of a session: images in, part by part, and one frame out for each task.

use farsign::task::{Task, TaskId};
use js_sys::Uint8Array;

use super::{Driver, SharedDriver};
use crate::disconnect::Disconnect;
use crate::events::State;
use crate::worker_global::now_ms;

/// Estimate of the CPU time of the browser and of the data worker for the images of a part, outside this worker.
pub(super) const IMAGES_OVERHEAD_MS: f64 = 0.5;

/// The update that is computed, part by part.
#[derive(Debug)]
pub(super) struct BegunUpdate {
    task: TaskId,
    /// Number of images that were added.
    images: u32,
    compute_ms: f64,
}

impl Driver {
    /// Drops the images of all tasks, and the update that is computed.
    pub(super) fn drop_images(&mut self) {
        self.parts.clear();
        self.begun = None;
    }

    /// Takes images of the data worker, `None` if it has dropped the data, and continues the update that needs them.
    pub(super) fn on_images(
        &mut self,
        this: &SharedDriver,
        id: u32,
        bytes: Option<Uint8Array>,
        started_ms: f64,
    ) -> Result<(), Disconnect> {
        let is_dropped = bytes.is_none();
        match self.parts.receive(id, bytes) {
            true if is_dropped => Err(self.on_other_data()),
            true if self.begun.is_some() => self.compute_update(this, started_ms),
            _ => Ok(()),
        }
    }

    /// Computes the update of the next task, if there is one, as far as its images are there. This work began at
    /// `started_ms`.
    pub(super) fn compute_update(
        &mut self,
        this: &SharedDriver,
        started_ms: f64,
    ) -> Result<(), Disconnect> {
        let Some(task) = self.next_task() else {
            return Ok(());
        };
        let is_allowed =
            self.begun.is_some() || (self.line_refused.is_none() && self.may_compute_on_line());
        if !is_allowed {
            return Ok(());
        }
        let began_ms = now_ms();
        let is_complete = self.add_images(&task)?;
        let (Some(begun), Some(volunteer)) = (&mut self.begun, &mut self.volunteer) else {
            return Ok(());
        };
        if !is_complete {
            begun.compute_ms += now_ms() - began_ms;
            return Ok(());
        }
        volunteer.finish_update(&task, &mut self.outgoing)?;
        let ended_ms = now_ms();
        let compute_ms = begun.compute_ms + ended_ms - began_ms;
        self.progress.version = volunteer.version().unwrap_or_default() as f64;
        self.begun = None;
        self.send_update(this, compute_ms, started_ms, ended_ms);
        Ok(())
    }

    /// Adds the images that have arrived to the update of a task. Returns whether they are all.
    fn add_images(&mut self, task: &Task) -> Result<bool, Disconnect> {
        let Some(volunteer) = &mut self.volunteer else {
            return Ok(false);
        };
        let begun = match &mut self.begun {
            Some(begun) if begun.task == task.id => begun,
            begun => {
                volunteer.begin_update(task)?;
                begun.insert(BegunUpdate {
                    task: task.id,
                    images: 0,
                    compute_ms: 0.0,
                })
            }
        };
        while let Some(count) = self.parts.take(task.id, &mut self.block) {
            // The data worker draws the next ones meanwhile.
            self.parts.request(&self.port);
            let Some(images) = self.parts.read(&self.block, count) else {
                let reason = format!("Expected {count} images of the data worker, found others.");
                return Err(Disconnect::End(State::Failed, reason));
            };
            volunteer.add_images(task, images)?;
            begun.images += count;
        }
        Ok(begun.images == task.images)
    }

    /// Sends the update of a task, after work from `started_ms` on, and continues with the next task.
    fn send_update(
        &mut self,
        this: &SharedDriver,
        compute_ms: f64,
        started_ms: f64,
        ended_ms: f64,
    ) {
        self.timing.record_update(compute_ms);
        self.updates_in_session += 1;
        self.unacknowledged += 1;
        self.progress.record_update(self.outgoing.len(), compute_ms);
        self.last_transfer_ms = ended_ms;
        self.announce_rest(ended_ms - started_ms + IMAGES_OVERHEAD_MS);
        self.send();
        if self.next_task().is_some() {
            // After other events, such as a pause.
            let rest_ms = self.throttle.delay_after_ms(ended_ms - started_ms);
            self.work_after(this, rest_ms.unwrap_or_default());
        }
    }

    /// Records how long the update that timed out would have taken, as far as it was computed.
    pub(super) fn record_unfinished_update(&mut self) {
        if let (Some(begun), Some(task)) = (&self.begun, self.next_task())
            && begun.images > 0
        {
            let times = f64::from(task.images) / f64::from(begun.images);
            self.timing.record_update(begun.compute_ms * times);
        }
    }
}
