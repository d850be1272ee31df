//! Open and recently closed tasks.
//!
//! A volunteer has at most two open tasks, and they are never forgotten. Their updates come in the order of the tasks,
//! because each continues the momentum of the one before it. Of its last 64 tasks, those that timed out are remembered,
//! so that a late or replayed update is rejected with the matching reason; older tasks are unknown. Memory is bounded by
//! the number of volunteers.

use std::collections::BTreeMap;

use crate::assignment::Assignment;
use crate::task::{RejectReason, Task, TaskId, TaskSize, VolunteerId};
use crate::task_sizing::MAX_OPEN_TASKS;
use crate::version::VersionHash;

/// The tasks of a volunteer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct VolunteerTasks {
    /// Number of the newest task.
    issued: u64,
    /// Open tasks, in order. The second is `None` if the first is.
    open: [Option<Task>; MAX_OPEN_TASKS],
    /// Bit `i` says that task `issued - i` timed out.
    timed_out: u64,
}

/// The tasks of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskLedger {
    issued: u64,
    volunteers: BTreeMap<VolunteerId, VolunteerTasks>,
}

impl TaskLedger {
    /// Returns the number of tasks issued so far.
    pub fn issued(&self) -> u64 {
        self.issued
    }

    /// Returns the number of the volunteer's newest task; 0 if it had none.
    pub fn issued_to(&self, volunteer: VolunteerId) -> u64 {
        self.volunteers
            .get(&volunteer)
            .map_or(0, |tasks| tasks.issued)
    }

    /// Opens the next task of a volunteer with fewer than [`MAX_OPEN_TASKS`] open ones. `id` has the next number.
    pub fn issue(
        &mut self,
        id: TaskId,
        assignment: Assignment,
        size: TaskSize,
        version: VersionHash,
    ) -> Task {
        let Assignment {
            minibatch_seed,
            direction_seed,
            coin_seed,
            reset_momentum,
        } = assignment;
        let task = Task {
            id,
            version,
            minibatch_seed,
            direction_seed,
            coin_seed,
            images: size.images,
            shards: size.shards,
            reset_momentum,
        };
        let tasks = self.volunteers.entry(id.volunteer()).or_default();
        debug_assert_eq!(id.number(), tasks.issued + 1);
        self.issued += 1;
        tasks.issued += 1;
        tasks.timed_out <<= 1;
        let free = tasks.open.iter_mut().find(|open| open.is_none());
        *free.expect("fewer tasks are open than can be") = Some(task);
        task
    }

    /// Closes the first open task of a volunteer with an update, and returns the task.
    ///
    /// # Errors
    /// Returns an error if the task is not the first open one of this volunteer. The ledger is unchanged then.
    pub fn close_with_update(
        &mut self,
        volunteer: VolunteerId,
        task: TaskId,
    ) -> Result<Task, RejectReason> {
        if task.volunteer() != volunteer {
            return Err(if task.volunteer() == VolunteerId(0) {
                RejectReason::UnknownTask
            } else {
                RejectReason::NotYourTask
            });
        }
        let tasks = self.volunteers.get_mut(&volunteer);
        let tasks = tasks.ok_or(RejectReason::UnknownTask)?;
        let position = tasks.open.iter().flatten().position(|open| open.id == task);
        match position {
            Some(0) => Ok(tasks.close_first().expect("it is open")),
            Some(_) => Err(RejectReason::OutOfOrder),
            None => Err(tasks.closed_reason(task)),
        }
    }

    /// Returns the number of open tasks of a volunteer.
    pub fn open_tasks(&self, volunteer: VolunteerId) -> usize {
        self.volunteers
            .get(&volunteer)
            .map_or(0, |tasks| tasks.open.iter().flatten().count())
    }

    /// Closes a volunteer's open tasks without updates. Returns whether there were any.
    pub fn expire(&mut self, volunteer: VolunteerId) -> bool {
        let mut expired = false;
        if let Some(tasks) = self.volunteers.get_mut(&volunteer) {
            while let Some(task) = tasks.close_first() {
                tasks.timed_out |= 1 << (tasks.issued - task.id.number());
                expired = true;
            }
        }
        expired
    }

    /// Forgets a volunteer that is gone.
    pub fn remove(&mut self, volunteer: VolunteerId) {
        self.volunteers.remove(&volunteer);
    }
}

impl VolunteerTasks {
    fn close_first(&mut self) -> Option<Task> {
        let first = self.open[0].take();
        self.open.rotate_left(1);
        first
    }

    /// Returns why a task that is not open accepts no update.
    fn closed_reason(&self, task: TaskId) -> RejectReason {
        let age = self.issued.checked_sub(task.number());
        match age {
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

#[cfg(test)]
mod tests {
    use super::*;

    const ASSIGNMENT: Assignment = Assignment {
        minibatch_seed: 1,
        direction_seed: 2,
        coin_seed: 3,
        reset_momentum: false,
    };
    const VERSION: VersionHash = VersionHash([7; 32]);
    const A: VolunteerId = VolunteerId(1);
    const B: VolunteerId = VolunteerId(2);

    fn issue(ledger: &mut TaskLedger, volunteer: VolunteerId) -> Task {
        let id = TaskId::new(volunteer, ledger.issued_to(volunteer) + 1);
        let size = TaskSize {
            images: 5,
            shards: 3,
        };
        ledger.issue(id, ASSIGNMENT, size, VERSION)
    }

    #[test]
    fn task_accepts_one_update_from_owner() {
        let mut ledger = TaskLedger::default();
        let task = issue(&mut ledger, A);
        assert_eq!(
            ledger.close_with_update(B, task.id),
            Err(RejectReason::NotYourTask)
        );
        for unknown in [
            TaskId(0),
            TaskId(99),
            TaskId::new(A, 2),
            TaskId(task.id.0 - 1),
        ] {
            let found = ledger.close_with_update(A, unknown);
            assert_eq!(found, Err(RejectReason::UnknownTask), "{unknown:?}");
        }
        assert_eq!(ledger.close_with_update(A, task.id), Ok(task));
        assert_eq!((task.direction_seed, task.images, task.shards), (2, 5, 3));
        assert_eq!(
            ledger.close_with_update(A, task.id),
            Err(RejectReason::DuplicateUpdate)
        );
        assert_eq!(
            ledger.close_with_update(B, task.id),
            Err(RejectReason::NotYourTask)
        );
    }

    #[test]
    fn expired_task_rejects_update() {
        let mut ledger = TaskLedger::default();
        let first = issue(&mut ledger, A);
        assert!(ledger.expire(A) && !ledger.expire(A));
        let second = issue(&mut ledger, A);
        let third = issue(&mut ledger, A);
        assert_eq!(
            ledger.close_with_update(A, first.id),
            Err(RejectReason::TaskTimedOut)
        );
        assert_eq!(ledger.open_tasks(A), 2);
        assert!(ledger.expire(A));
        for task in [second, third] {
            assert_eq!(
                ledger.close_with_update(A, task.id),
                Err(RejectReason::TaskTimedOut)
            );
        }
        assert_eq!((ledger.open_tasks(A), ledger.issued()), (0, 3));
    }

    #[test]
    fn updates_follow_task_order() {
        let mut ledger = TaskLedger::default();
        let first = issue(&mut ledger, A);
        let second = issue(&mut ledger, A);
        let before = ledger.clone();
        assert_eq!(
            ledger.close_with_update(A, second.id),
            Err(RejectReason::OutOfOrder)
        );
        assert_eq!(
            ledger.close_with_update(B, second.id),
            Err(RejectReason::NotYourTask)
        );
        assert_eq!(ledger, before, "a rejected update changed the ledger");
        assert_eq!(ledger.close_with_update(A, first.id), Ok(first));
        let third = issue(&mut ledger, A);
        assert_eq!(
            ledger.close_with_update(A, third.id),
            Err(RejectReason::OutOfOrder)
        );
        for task in [second, third] {
            assert_eq!(ledger.close_with_update(A, task.id), Ok(task));
            assert_eq!(
                ledger.close_with_update(A, task.id),
                Err(RejectReason::DuplicateUpdate)
            );
        }
    }

    #[test]
    fn ledger_forgets_only_closed_tasks() {
        let mut ledger = TaskLedger::default();
        let first = issue(&mut ledger, A);
        ledger.close_with_update(A, first.id).unwrap();
        let idle = issue(&mut ledger, B);
        for _ in 0..63 {
            let task = issue(&mut ledger, A);
            ledger.close_with_update(A, task.id).unwrap();
        }
        assert_eq!(
            ledger.close_with_update(A, first.id),
            Err(RejectReason::DuplicateUpdate)
        );
        issue(&mut ledger, A);
        assert_eq!(
            ledger.close_with_update(A, first.id),
            Err(RejectReason::UnknownTask)
        );
        assert_eq!(
            ledger.close_with_update(B, idle.id),
            Ok(idle),
            "an open task is never forgotten"
        );
        ledger.remove(A);
        assert_eq!(
            ledger.close_with_update(A, first.id),
            Err(RejectReason::UnknownTask)
        );
    }
}
