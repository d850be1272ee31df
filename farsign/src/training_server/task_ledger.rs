//! Open and recently closed tasks.
//!
//! A volunteer has at most two open tasks, and they are never forgotten. Their updates come in the order of the tasks,
//! because each continues the momentum of the one before it. Recently closed tasks are remembered, so that a replayed or
//! misdirected update is rejected with the matching reason; older tasks are unknown. Memory is bounded by the number of
//! volunteers and [`CLOSED_TASK_CAPACITY`].

use std::collections::{BTreeMap, VecDeque};

use crate::assignment::Assignment;
use crate::task::{RejectReason, Task, TaskId, TaskSize, VolunteerId};
use crate::task_sizing::MAX_OPEN_TASKS;
use crate::version::VersionHash;

/// Newest tasks that are remembered after they are closed.
pub const CLOSED_TASK_CAPACITY: usize = 65_536;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Updated,
    TimedOut,
}

/// A recently issued task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    volunteer: VolunteerId,
    state: State,
}

/// The open tasks of a volunteer, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OpenTasks {
    first: Task,
    second: Option<Task>,
}

/// The tasks of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskLedger {
    issued: u64,
    open: BTreeMap<VolunteerId, OpenTasks>,
    /// The newest tasks in order; the last is number `issued`.
    newest: VecDeque<Entry>,
}

impl TaskLedger {
    /// Creates a ledger without tasks. The next task has the number `issued + 1`.
    pub fn restore(issued: u64) -> Self {
        Self {
            issued,
            ..Self::default()
        }
    }

    /// Returns the number of the newest task.
    pub fn issued(&self) -> u64 {
        self.issued
    }

    /// Opens a task of this size for a volunteer with fewer than [`MAX_OPEN_TASKS`] open ones.
    pub fn issue(
        &mut self,
        volunteer: VolunteerId,
        assignment: Assignment,
        size: TaskSize,
        version: VersionHash,
    ) -> Task {
        debug_assert!(self.open_tasks(volunteer) < MAX_OPEN_TASKS);
        self.issued += 1;
        let Assignment {
            minibatch_seed,
            direction_seed,
            coin_seed,
            reset_momentum,
        } = assignment;
        let task = Task {
            id: TaskId(self.issued),
            version,
            minibatch_seed,
            direction_seed,
            coin_seed,
            images: size.images,
            shards: size.shards,
            reset_momentum,
        };
        let first_only = OpenTasks {
            first: task,
            second: None,
        };
        self.open
            .entry(volunteer)
            .and_modify(|open| open.second = Some(task))
            .or_insert(first_only);
        if self.newest.len() == CLOSED_TASK_CAPACITY {
            self.newest.pop_front();
        }
        self.newest.push_back(Entry {
            volunteer,
            state: State::Open,
        });
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
        if let Some(OpenTasks { first, second }) = self.open.get(&volunteer).copied() {
            if first.id == task {
                self.close_first(volunteer, State::Updated);
                return Ok(first);
            }
            if second.is_some_and(|second| second.id == task) {
                return Err(RejectReason::OutOfOrder);
            }
        }
        let entry = self.entry(task).ok_or(RejectReason::UnknownTask)?;
        Err(match entry.state {
            _ if entry.volunteer != volunteer => RejectReason::NotYourTask,
            State::Updated => RejectReason::DuplicateUpdate,
            State::TimedOut | State::Open => RejectReason::TaskTimedOut,
        })
    }

    /// Returns the number of open tasks of a volunteer.
    pub fn open_tasks(&self, volunteer: VolunteerId) -> usize {
        self.open
            .get(&volunteer)
            .map_or(0, |open| 1 + usize::from(open.second.is_some()))
    }

    /// Closes a volunteer's open tasks without updates. Returns whether there were any.
    pub fn expire(&mut self, volunteer: VolunteerId) -> bool {
        let was_open = self.open.contains_key(&volunteer);
        while self.open.contains_key(&volunteer) {
            self.close_first(volunteer, State::TimedOut);
        }
        was_open
    }

    fn close_first(&mut self, volunteer: VolunteerId, state: State) {
        let Some(OpenTasks { first, second }) = self.open.remove(&volunteer) else {
            return;
        };
        if let Some(first) = second {
            let second = None;
            self.open.insert(volunteer, OpenTasks { first, second });
        }
        if let Some(entry) = self.entry(first.id) {
            entry.state = state;
        }
    }

    fn entry(&mut self, TaskId(id): TaskId) -> Option<&mut Entry> {
        let newer = self.issued.checked_sub(id)?;
        let position = self
            .newest
            .len()
            .checked_sub(1 + usize::try_from(newer).ok()?)?;
        self.newest.get_mut(position)
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

    const fn size(images: u32) -> TaskSize {
        TaskSize { images, shards: 3 }
    }

    #[test]
    fn task_accepts_one_update_from_owner() {
        let mut ledger = TaskLedger::default();
        let task = ledger.issue(A, ASSIGNMENT, size(5), VERSION);
        assert_eq!(
            ledger.close_with_update(B, task.id),
            Err(RejectReason::NotYourTask)
        );
        assert_eq!(
            ledger.close_with_update(A, TaskId(99)),
            Err(RejectReason::UnknownTask)
        );
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
        let first = ledger.issue(A, ASSIGNMENT, size(1), VERSION);
        assert!(ledger.expire(A) && !ledger.expire(A));
        let second = ledger.issue(A, ASSIGNMENT, size(1), VERSION);
        let third = ledger.issue(A, ASSIGNMENT, size(1), VERSION);
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
        assert_eq!((ledger.open_tasks(A), ledger.open.len()), (0, 0));
    }

    #[test]
    fn updates_follow_task_order() {
        let mut ledger = TaskLedger::default();
        let first = ledger.issue(A, ASSIGNMENT, size(1), VERSION);
        let second = ledger.issue(A, ASSIGNMENT, size(1), VERSION);
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
        let third = ledger.issue(A, ASSIGNMENT, size(1), VERSION);
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
        let first = ledger.issue(A, ASSIGNMENT, size(1), VERSION);
        ledger.close_with_update(A, first.id).unwrap();
        let idle = ledger.issue(B, ASSIGNMENT, size(1), VERSION);
        for _ in 0..3 * CLOSED_TASK_CAPACITY {
            let task = ledger.issue(A, ASSIGNMENT, size(1), VERSION);
            ledger.close_with_update(A, task.id).unwrap();
        }
        assert!(ledger.newest.len() <= CLOSED_TASK_CAPACITY);
        assert_eq!(
            ledger.close_with_update(A, first.id),
            Err(RejectReason::UnknownTask)
        );
        assert_eq!(
            ledger.close_with_update(B, idle.id),
            Ok(idle),
            "an open task is never forgotten"
        );
    }
}
