//! The next tasks of volunteers.

use std::sync::Arc;

use farsign::learner::Record;
use farsign::task::{GoodbyeReason, TaskSize, VolunteerId};
use farsign::task_sizing::TaskLimits;

use super::Gateway;
use super::handle::{TaskAssignment, TaskRequest};

impl Gateway {
    /// Issues tasks of a volunteer until it has as many open ones as its pace asks for, and it requests at most. A request
    /// that replaces the open tasks closes them without their updates, and gets one that resets the momentum.
    ///
    /// There are none if it is not connected or the run is finished.
    pub(super) fn next_tasks(
        &mut self,
        volunteer: VolunteerId,
        request: &TaskRequest,
    ) -> Vec<TaskAssignment> {
        if self.progress.is_finished() {
            return Vec::new();
        }
        let pace = &request.pace;
        let images = pace.task_images(&self.limits(request.shards));
        let size = TaskSize {
            images,
            shards: request.shards,
        };
        let missing = if request.replaces_open {
            1
        } else {
            let wanted = pace.open_tasks(images).min(request.max_open);
            wanted.saturating_sub(self.issuer.open_tasks(volunteer))
        };
        let issue = |_| self.issue(volunteer, size, request.replaces_open);
        let tasks = (0..missing).map_while(issue).collect();
        self.eject_exhausted(volunteer);
        tasks
    }

    fn issue(
        &mut self,
        volunteer: VolunteerId,
        size: TaskSize,
        replaces_open: bool,
    ) -> Option<TaskAssignment> {
        let snapshot = Arc::clone(&self.latest);
        let task = if replaces_open {
            self.issuer.next_task(volunteer, size, &snapshot.version)
        } else {
            self.issuer.further_task(volunteer, size, &snapshot.version)
        }?;
        Some(TaskAssignment { task, snapshot })
    }

    /// Ejects a volunteer that has had all its numbers. Its next session has new ones.
    fn eject_exhausted(&mut self, volunteer: VolunteerId) {
        if self.issuer.is_exhausted(volunteer) && self.issuer.open_tasks(volunteer) == 0 {
            self.issuer.leave(volunteer);
            self.records.push(Record::Eject {
                volunteer,
                reason: GoodbyeReason::TaskTimeout,
            });
        }
    }

    /// Returns the limits of a task's size, for a volunteer with this many shards.
    fn limits(&self, shards: u16) -> TaskLimits {
        let run = &self.options.run;
        let capacity = self.progress.capacity;
        TaskLimits {
            minibatch: run.batch,
            training_images: self.options.shards.images_of_first(shards.into()) as u32,
            timeout_ms: run.task_timeout_ms,
            active: self.progress.active,
            updates_per_s: capacity.updates_per_s,
            verifiable_images: capacity.verifiable_images,
        }
    }
}
