//! Open and recently closed tasks of a volunteer.
//!
//! A volunteer has at most two open tasks, and they are never forgotten. Their updates come in the order of the tasks,
//! because each continues the momentum of the one before it. Of its last 64 tasks, those that timed out are remembered,
//! so that a late or replayed update is rejected with the matching reason; older tasks are unknown.

use std::sync::Arc;

use crate::attachment::Attached;
use crate::task::{RejectReason, Task, TaskId, VolunteerId};
use crate::task_sizing::MAX_OPEN_TASKS;
use crate::version::Version;

/// A task without an update.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct OpenTask {
    pub task: Task,
    pub version: Attached<Arc<Version>>,
}

/// The tasks of a volunteer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct VolunteerTasks {
    /// Number of the newest task.
    issued: u64,
    /// Open tasks, in order. The second is `None` if the first is.
    open: [Option<OpenTask>; MAX_OPEN_TASKS],
    /// Bit `i` says that task `issued - i` timed out.
    timed_out: u64,
}

impl VolunteerTasks {
    /// Returns the id of the next task. `None` if all are used.
    pub fn next_id(&self, volunteer: VolunteerId) -> Option<TaskId> {
        (self.issued < TaskId::MAX_NUMBER).then(|| TaskId::new(volunteer, self.issued + 1))
    }

    /// Opens the next task.
    pub fn open(&mut self, task: OpenTask) {
        self.issued += 1;
        self.timed_out <<= 1;
        let free = self.open.iter_mut().find(|open| open.is_none());
        *free.expect("fewer tasks are open than can be") = Some(task);
    }

    /// Returns the number of open tasks.
    pub fn open_tasks(&self) -> usize {
        self.open.iter().flatten().count()
    }

    /// Returns whether no further task can be opened.
    pub fn is_full(&self) -> bool {
        self.open_tasks() == MAX_OPEN_TASKS
    }

    /// Drops the version of an open task.
    pub fn drop_version(&mut self, task: TaskId) {
        let mut open = self.open.iter_mut().flatten();
        if let Some(open) = open.find(|open| open.task.id == task) {
            open.version = Attached::default();
        }
    }

    /// Closes the first open task with its update.
    pub fn close_with_update(&mut self, task: TaskId) -> Result<OpenTask, RejectReason> {
        let mut open = self.open.iter().flatten();
        match open.position(|open| open.task.id == task) {
            Some(0) => Ok(self.close_first().expect("it is open")),
            Some(_) => Err(RejectReason::OutOfOrder),
            None => Err(self.closed_reason(task)),
        }
    }

    /// Closes all open tasks without updates. Returns whether there were any.
    pub fn expire(&mut self) -> bool {
        let mut expired = false;
        while let Some(open) = self.close_first() {
            self.timed_out |= 1 << (self.issued - open.task.id.number());
            expired = true;
        }
        expired
    }

    fn close_first(&mut self) -> Option<OpenTask> {
        let first = self.open[0].take();
        self.open.rotate_left(1);
        first
    }

    /// Returns why a task that is not open accepts no update.
    fn closed_reason(&self, task: TaskId) -> RejectReason {
        match self.issued.checked_sub(task.number()) {
            Some(age @ 0..64) if task.number() > 0 => {
                if self.timed_out >> age & 1 == 1 {
                    RejectReason::TaskTimedOut
                } else {
                    RejectReason::DuplicateUpdate
                }
            }
            _ => RejectReason::UnknownTask,
        }
    }
}
