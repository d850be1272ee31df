//! Which tasks are open, whose they are, and what became of the others.
//!
//! A volunteer has at most one open task, and it is never forgotten. What became of the last tasks is remembered too, so
//! that a replayed or misdirected answer gets the reason that fits; what is older than that is unknown. Memory is bounded
//! by the number of volunteers and [`REMEMBERED`].

use std::collections::{HashMap, VecDeque};

use farsign::assignment::Assignment;
use farsign::task::{RejectReason, Task, TaskId, VolunteerId};

/// Tasks, counted from the newest, that are remembered when they are closed.
pub const REMEMBERED: usize = 65_536;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Answered,
    Expired,
}

/// A task that was issued lately.
#[derive(Clone, Copy, Debug)]
struct Entry {
    volunteer: VolunteerId,
    state: State,
}

#[derive(Clone, Copy, Debug)]
struct OpenTask {
    id: TaskId,
    direction_seed: u64,
}

/// The tasks of a run.
#[derive(Debug, Default)]
pub struct Ledger {
    issued: u64,
    open: HashMap<VolunteerId, OpenTask>,
    /// The tasks issued last, in order; the last is number `issued`.
    latest: VecDeque<Entry>,
}

impl Ledger {
    /// A ledger without a task after so many were issued; none of their numbers comes again.
    pub fn resumed(issued: u64) -> Self {
        Self { issued, ..Self::default() }
    }

    /// Tasks issued so far; the last one's number.
    pub fn issued(&self) -> u64 {
        self.issued
    }

    /// Opens a task for a volunteer. A task it had open before expires.
    pub fn issue(&mut self, volunteer: VolunteerId, assignment: Assignment, snapshot_version: u64) -> Task {
        self.expire(volunteer);
        self.issued += 1;
        let id = TaskId(self.issued);
        let Assignment { minibatch_seed, direction_seed, coin_seed, reset_tracker } = assignment;
        self.open.insert(volunteer, OpenTask { id, direction_seed });
        if self.latest.len() == REMEMBERED {
            self.latest.pop_front();
        }
        self.latest.push_back(Entry { volunteer, state: State::Open });
        Task { id, snapshot_version, minibatch_seed, direction_seed, coin_seed, reset_tracker }
    }

    /// Closes a task with an answer, and gives the seed of its directions.
    ///
    /// # Errors
    /// When the volunteer may not answer this task; nothing has changed then.
    pub fn answer(&mut self, volunteer: VolunteerId, task: TaskId) -> Result<u64, RejectReason> {
        if let Some(&OpenTask { id, direction_seed }) = self.open.get(&volunteer)
            && id == task
        {
            self.close(volunteer, State::Answered);
            return Ok(direction_seed);
        }
        let entry = self.entry(task).ok_or(RejectReason::UnknownTask)?;
        Err(match entry.state {
            _ if entry.volunteer != volunteer => RejectReason::NotYourTask,
            State::Answered => RejectReason::AlreadyAnswered,
            State::Expired | State::Open => RejectReason::TaskExpired,
        })
    }

    /// Gives up a volunteer's open task, if it has one.
    pub fn expire(&mut self, volunteer: VolunteerId) {
        self.close(volunteer, State::Expired);
    }

    /// Number of open tasks.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    fn close(&mut self, volunteer: VolunteerId, state: State) {
        let Some(OpenTask { id, .. }) = self.open.remove(&volunteer) else { return };
        if let Some(entry) = self.entry(id) {
            entry.state = state;
        }
    }

    fn entry(&mut self, TaskId(id): TaskId) -> Option<&mut Entry> {
        let newer = self.issued.checked_sub(id)?;
        let position = self.latest.len().checked_sub(1 + usize::try_from(newer).ok()?)?;
        self.latest.get_mut(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: Assignment =
        Assignment { minibatch_seed: 1, direction_seed: 2, coin_seed: 3, reset_tracker: false };
    const A: VolunteerId = VolunteerId(1);
    const B: VolunteerId = VolunteerId(2);

    #[test]
    fn a_task_takes_one_answer_from_its_owner() {
        let mut ledger = Ledger::default();
        let task = ledger.issue(A, ANY, 0);
        assert_eq!(ledger.answer(B, task.id), Err(RejectReason::NotYourTask));
        assert_eq!(ledger.answer(A, TaskId(99)), Err(RejectReason::UnknownTask));
        assert_eq!(ledger.answer(A, task.id), Ok(2));
        assert_eq!(ledger.answer(A, task.id), Err(RejectReason::AlreadyAnswered));
        assert_eq!(ledger.answer(B, task.id), Err(RejectReason::NotYourTask));
    }

    #[test]
    fn a_task_that_was_given_up_takes_none() {
        let mut ledger = Ledger::default();
        let (first, second) = (ledger.issue(A, ANY, 0), ledger.issue(A, ANY, 1));
        assert_eq!(ledger.answer(A, first.id), Err(RejectReason::TaskExpired));
        assert_eq!(ledger.open(), 1);
        ledger.expire(A);
        assert_eq!(ledger.answer(A, second.id), Err(RejectReason::TaskExpired));
        assert_eq!(ledger.open(), 0);
    }

    #[test]
    fn memory_stays_bounded_and_only_closed_tasks_are_forgotten() {
        let mut ledger = Ledger::default();
        let first = ledger.issue(A, ANY, 0);
        ledger.answer(A, first.id).unwrap();
        let idle = ledger.issue(B, ANY, 0);
        for _ in 0..3 * REMEMBERED {
            let task = ledger.issue(A, ANY, 0);
            ledger.answer(A, task.id).unwrap();
        }
        assert!(ledger.latest.len() <= REMEMBERED);
        assert_eq!(ledger.answer(A, first.id), Err(RejectReason::UnknownTask));
        assert_eq!(ledger.answer(B, idle.id), Ok(2), "an open task is never forgotten");
    }
}
