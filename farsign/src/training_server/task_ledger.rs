//! Open and recently closed tasks.
//!
//! A volunteer has at most one open task, and it is never forgotten. Recently closed tasks are remembered, so that a
//! replayed or misdirected update is rejected with the matching reason; older tasks are unknown. Memory is bounded by the
//! number of volunteers and [`CLOSED_TASK_CAPACITY`].

use std::collections::{BTreeMap, VecDeque};

use crate::assignment::Assignment;
use crate::task::{RejectReason, Task, TaskId, VolunteerId};
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OpenTask {
    id: TaskId,
    direction_seed: u64,
}

/// The tasks of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskLedger {
    issued: u64,
    open: BTreeMap<VolunteerId, OpenTask>,
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

    /// Opens a task for a volunteer. An open task of the volunteer times out.
    pub fn issue(
        &mut self,
        volunteer: VolunteerId,
        assignment: Assignment,
        version: VersionHash,
    ) -> Task {
        self.expire(volunteer);
        self.issued += 1;
        let id = TaskId(self.issued);
        let Assignment {
            minibatch_seed,
            direction_seed,
            coin_seed,
            reset_momentum,
        } = assignment;
        self.open.insert(volunteer, OpenTask { id, direction_seed });
        if self.newest.len() == CLOSED_TASK_CAPACITY {
            self.newest.pop_front();
        }
        self.newest.push_back(Entry {
            volunteer,
            state: State::Open,
        });
        Task {
            id,
            version,
            minibatch_seed,
            direction_seed,
            coin_seed,
            reset_momentum,
        }
    }

    /// Closes a task with an update and returns its direction seed.
    ///
    /// # Errors
    /// Returns an error if the task is not open for this volunteer. The ledger is unchanged then.
    pub fn close_with_update(
        &mut self,
        volunteer: VolunteerId,
        task: TaskId,
    ) -> Result<u64, RejectReason> {
        if let Some(&OpenTask { id, direction_seed }) = self.open.get(&volunteer)
            && id == task
        {
            self.close(volunteer, State::Updated);
            return Ok(direction_seed);
        }
        let entry = self.entry(task).ok_or(RejectReason::UnknownTask)?;
        Err(match entry.state {
            _ if entry.volunteer != volunteer => RejectReason::NotYourTask,
            State::Updated => RejectReason::DuplicateUpdate,
            State::TimedOut | State::Open => RejectReason::TaskTimedOut,
        })
    }

    /// Returns whether a volunteer has an open task.
    pub fn is_open(&self, volunteer: VolunteerId) -> bool {
        self.open.contains_key(&volunteer)
    }

    /// Closes a volunteer's open task, if there is one, without an update.
    pub fn expire(&mut self, volunteer: VolunteerId) {
        self.close(volunteer, State::TimedOut);
    }

    fn close(&mut self, volunteer: VolunteerId, state: State) {
        let Some(OpenTask { id, .. }) = self.open.remove(&volunteer) else {
            return;
        };
        if let Some(entry) = self.entry(id) {
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

    #[test]
    fn task_accepts_one_update_from_owner() {
        let mut ledger = TaskLedger::default();
        let task = ledger.issue(A, ASSIGNMENT, VERSION);
        assert_eq!(
            ledger.close_with_update(B, task.id),
            Err(RejectReason::NotYourTask)
        );
        assert_eq!(
            ledger.close_with_update(A, TaskId(99)),
            Err(RejectReason::UnknownTask)
        );
        assert_eq!(ledger.close_with_update(A, task.id), Ok(2));
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
        let first = ledger.issue(A, ASSIGNMENT, VERSION);
        let second = ledger.issue(A, ASSIGNMENT, VERSION);
        assert_eq!(
            ledger.close_with_update(A, first.id),
            Err(RejectReason::TaskTimedOut)
        );
        assert_eq!(ledger.open.len(), 1);
        ledger.expire(A);
        assert_eq!(
            ledger.close_with_update(A, second.id),
            Err(RejectReason::TaskTimedOut)
        );
        assert_eq!(ledger.open.len(), 0);
    }

    #[test]
    fn ledger_forgets_only_closed_tasks() {
        let mut ledger = TaskLedger::default();
        let first = ledger.issue(A, ASSIGNMENT, VERSION);
        ledger.close_with_update(A, first.id).unwrap();
        let idle = ledger.issue(B, ASSIGNMENT, VERSION);
        for _ in 0..3 * CLOSED_TASK_CAPACITY {
            let task = ledger.issue(A, ASSIGNMENT, VERSION);
            ledger.close_with_update(A, task.id).unwrap();
        }
        assert!(ledger.newest.len() <= CLOSED_TASK_CAPACITY);
        assert_eq!(
            ledger.close_with_update(A, first.id),
            Err(RejectReason::UnknownTask)
        );
        assert_eq!(
            ledger.close_with_update(B, idle.id),
            Ok(2),
            "an open task is never forgotten"
        );
    }
}
