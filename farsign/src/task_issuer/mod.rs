//! Issues tasks to volunteers, and closes them: the part of a server that needs no model.
//!
//! ```text
//!   join, leave, reset                           +------------+
//!   next_task, further_task (size, version)  --> | TaskIssuer | --> Task
//!   close (task)                             --> |            | --> ClosedTask or RejectReason
//!                                                +------------+
//! ```
//!
//! What it assigns follows from the task key and from the tasks that each volunteer had before, so it needs nothing of
//! other volunteers. Several issuers with one key can serve the volunteers of one run.

mod ledger;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::assignment::{Assigner, AssignmentOptions, VolunteerAssignment};
use crate::attachment::Attached;
use crate::keys::Key;
use crate::task::{RejectReason, Task, TaskId, TaskSize, VolunteerId};
use crate::version::Version;
use ledger::{OpenTask, VolunteerTasks};

/// An issuer of tasks.
#[derive(Clone, Debug)]
pub struct TaskIssuer {
    assigner: Assigner,
    /// Direction seed of all tasks, in place of the assigned ones. `None` in the product.
    direction_seed: Option<u64>,
    issued: u64,
    volunteers: BTreeMap<VolunteerId, VolunteerEntry>,
}

/// The tasks of a volunteer, and what the next one depends on.
#[derive(Clone, Debug, Default, PartialEq)]
struct VolunteerEntry {
    tasks: VolunteerTasks,
    assignment: VolunteerAssignment,
}

/// A task that was closed by its update.
#[derive(Clone, Debug, PartialEq)]
pub struct ClosedTask {
    /// The task.
    pub task: Task,
    /// The version that it was issued against, unless the caller had no memory to keep it.
    pub version: Attached<Arc<Version>>,
}

impl From<Task> for ClosedTask {
    fn from(task: Task) -> Self {
        Self {
            task,
            version: Attached::default(),
        }
    }
}

/// The volunteers and tasks of an issuer: with its options and key, everything that decides further tasks.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskIssuerState {
    issued: u64,
    volunteers: BTreeMap<VolunteerId, VolunteerEntry>,
}

impl TaskIssuer {
    /// Creates an issuer without volunteers. All tasks have the directions of `direction_seed`, if there is one.
    pub fn new(options: AssignmentOptions, key: Key, direction_seed: Option<u64>) -> Self {
        Self {
            assigner: Assigner::new(options, key),
            direction_seed,
            issued: 0,
            volunteers: BTreeMap::new(),
        }
    }

    /// Takes the state out of the issuer.
    pub fn into_state(self) -> TaskIssuerState {
        TaskIssuerState {
            issued: self.issued,
            volunteers: self.volunteers,
        }
    }

    /// Continues from a state of an issuer with the same options and key.
    #[must_use]
    pub fn with_state(self, state: TaskIssuerState) -> Self {
        Self {
            issued: state.issued,
            volunteers: state.volunteers,
            ..self
        }
    }

    /// Adds a volunteer.
    pub fn join(&mut self, volunteer: VolunteerId) {
        self.volunteers.insert(volunteer, VolunteerEntry::default());
    }

    /// Removes a volunteer with its tasks.
    pub fn leave(&mut self, volunteer: VolunteerId) {
        self.volunteers.remove(&volunteer);
    }

    /// Lets the next task of a volunteer reset the momentum, because the server does not know it.
    pub fn reset(&mut self, volunteer: VolunteerId) {
        if let Some(entry) = self.volunteers.get_mut(&volunteer) {
            entry.assignment = VolunteerAssignment::default();
        }
    }

    /// Issues a task of this size against a version. Open tasks of the volunteer time out, and if there were any, the task
    /// resets the momentum, which lacks their updates.
    ///
    /// `None` if the volunteer has not joined, or has had all its numbers.
    pub fn next_task(
        &mut self,
        volunteer: VolunteerId,
        size: TaskSize,
        version: &Arc<Version>,
    ) -> Option<Task> {
        if self.volunteers.get_mut(&volunteer)?.tasks.expire() {
            self.reset(volunteer);
        }
        self.issue(volunteer, size, version)
    }

    /// Issues a task of this size as [`TaskIssuer::next_task`] does, but open tasks stay open.
    ///
    /// The volunteer sends the updates of its open tasks in their order. `None` also if it already has
    /// [`MAX_OPEN_TASKS`](crate::task_sizing::MAX_OPEN_TASKS) open tasks.
    pub fn further_task(
        &mut self,
        volunteer: VolunteerId,
        size: TaskSize,
        version: &Arc<Version>,
    ) -> Option<Task> {
        if self.volunteers.get(&volunteer)?.tasks.is_full() {
            return None;
        }
        self.issue(volunteer, size, version)
    }

    fn issue(
        &mut self,
        volunteer: VolunteerId,
        size: TaskSize,
        version: &Arc<Version>,
    ) -> Option<Task> {
        let VolunteerEntry { tasks, assignment } = self.volunteers.get_mut(&volunteer)?;
        let id = tasks.next_id(volunteer)?;
        let assigned = self.assigner.assign(assignment, id, version.accepted());
        let task = Task {
            id,
            version: version.hash(),
            minibatch_seed: assigned.minibatch_seed,
            direction_seed: self.direction_seed.unwrap_or(assigned.direction_seed),
            coin_seed: assigned.coin_seed,
            images: size.images,
            shards: size.shards,
            reset_momentum: assigned.reset_momentum,
        };
        self.issued += 1;
        tasks.open(OpenTask {
            task,
            version: Arc::clone(version).into(),
        });
        Some(task)
    }

    /// Drops the version of an open task, for which the caller has no memory.
    pub fn drop_version(&mut self, task: TaskId) {
        if let Some(entry) = self.volunteers.get_mut(&task.volunteer()) {
            entry.tasks.drop_version(task);
        }
    }

    /// Closes the first open task of a volunteer, whose update has come.
    ///
    /// # Errors
    /// Returns an error if the task is not the first open one of this volunteer. Nothing has changed then.
    pub fn close(
        &mut self,
        volunteer: VolunteerId,
        task: TaskId,
    ) -> Result<ClosedTask, RejectReason> {
        if task.volunteer() != volunteer {
            return Err(if task.volunteer() == VolunteerId(0) {
                RejectReason::UnknownTask
            } else {
                RejectReason::NotYourTask
            });
        }
        let entry = self.volunteers.get_mut(&volunteer);
        let OpenTask { task, version } = entry
            .ok_or(RejectReason::UnknownTask)?
            .tasks
            .close_with_update(task)?;
        Ok(ClosedTask { task, version })
    }

    /// Returns the number of open tasks of a volunteer.
    pub fn open_tasks(&self, volunteer: VolunteerId) -> usize {
        self.volunteers
            .get(&volunteer)
            .map_or(0, |entry| entry.tasks.open_tasks())
    }

    /// Returns whether a volunteer has had all its numbers. Its next session has new ones.
    pub fn is_exhausted(&self, volunteer: VolunteerId) -> bool {
        self.volunteers
            .get(&volunteer)
            .is_some_and(|entry| entry.tasks.next_id(volunteer).is_none())
    }

    /// Returns the number of tasks issued so far.
    pub fn issued(&self) -> u64 {
        self.issued
    }
}

#[cfg(test)]
mod tests;
