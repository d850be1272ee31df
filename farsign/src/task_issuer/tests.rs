use super::*;
use crate::estimate::Order;
use crate::fixed_point::FixedPoint;
use crate::optimizer::Rule;
use crate::version::Grid;

const A: VolunteerId = VolunteerId(1);
const B: VolunteerId = VolunteerId(2);
const SIZE: TaskSize = TaskSize {
    images: 5,
    shards: 3,
};

fn issuer() -> TaskIssuer {
    let options = AssignmentOptions {
        order: Order::First,
        rule: Rule::Plain,
        minibatch_window: 1,
        direction_reuse: 1,
        resets: None,
    };
    let mut issuer = TaskIssuer::new(options, Key::new([4; 32]), None);
    issuer.join(A);
    issuer.join(B);
    issuer
}

fn version() -> Arc<Version> {
    let fixed_point = FixedPoint::new(0).unwrap();
    let grid = Grid {
        fixed_point,
        shift: 0,
    };
    Arc::new(Version::round(1, 1, &[5], grid))
}

fn issue(issuer: &mut TaskIssuer, volunteer: VolunteerId) -> Task {
    let task = issuer.further_task(volunteer, SIZE, &version());
    task.expect("the volunteer has joined, and has a place")
}

/// Issues a task and closes it.
fn pass(issuer: &mut TaskIssuer, volunteer: VolunteerId) -> Task {
    let task = issue(issuer, volunteer);
    issuer.close(volunteer, task.id).unwrap().task
}

fn reason(issuer: &mut TaskIssuer, volunteer: VolunteerId, task: TaskId) -> RejectReason {
    issuer.close(volunteer, task).expect_err("a closed task")
}

#[test]
fn task_accepts_one_update_from_owner() {
    let mut issuer = issuer();
    let task = issue(&mut issuer, A);
    assert_eq!((task.images, task.shards), (5, 3));
    let not_yours = RejectReason::NotYourTask;
    assert_eq!(reason(&mut issuer, B, task.id), not_yours);
    for unknown in [
        TaskId(0),
        TaskId(99),
        TaskId::new(A, 2),
        TaskId(task.id.0 - 1),
    ] {
        let found = reason(&mut issuer, A, unknown);
        assert_eq!(found, RejectReason::UnknownTask, "{unknown:?}");
    }
    assert_eq!(issuer.close(A, task.id).unwrap().task, task);
    let duplicate = RejectReason::DuplicateUpdate;
    assert_eq!(reason(&mut issuer, A, task.id), duplicate);
    assert_eq!(reason(&mut issuer, B, task.id), not_yours);
}

#[test]
fn next_task_times_out_open_ones() {
    let mut issuer = issuer();
    let first = issue(&mut issuer, A);
    assert!(first.reset_momentum);
    issuer.close(A, first.id).unwrap();
    let open = [issue(&mut issuer, A), issue(&mut issuer, A)];
    assert!(open.iter().all(|task| !task.reset_momentum));
    let next = issuer.next_task(A, SIZE, &version()).unwrap();
    assert!(next.reset_momentum, "the momentum lacks two updates");
    for task in open {
        let found = reason(&mut issuer, A, task.id);
        assert_eq!(found, RejectReason::TaskTimedOut);
    }
    assert_eq!((issuer.open_tasks(A), issuer.issued()), (1, 4));
}

#[test]
fn updates_follow_task_order() {
    let mut issuer = issuer();
    let first = issue(&mut issuer, A);
    let second = issue(&mut issuer, A);
    let before = issuer.clone().into_state();
    let found = reason(&mut issuer, A, second.id);
    assert_eq!(found, RejectReason::OutOfOrder);
    let found = reason(&mut issuer, B, second.id);
    assert_eq!(found, RejectReason::NotYourTask);
    let after = issuer.clone().into_state();
    assert_eq!(after, before, "a rejected update changed something");
    issuer.close(A, first.id).unwrap();
    let third = issue(&mut issuer, A);
    for task in [second, third] {
        issuer.close(A, task.id).unwrap();
        let found = reason(&mut issuer, A, task.id);
        assert_eq!(found, RejectReason::DuplicateUpdate);
    }
}

#[test]
fn only_closed_tasks_are_forgotten() {
    let mut issuer = issuer();
    let first = issue(&mut issuer, A);
    issuer.close(A, first.id).unwrap();
    let idle = issue(&mut issuer, B);
    for _ in 0..63 {
        let task = issue(&mut issuer, A);
        issuer.close(A, task.id).unwrap();
    }
    let found = reason(&mut issuer, A, first.id);
    assert_eq!(found, RejectReason::DuplicateUpdate);
    issue(&mut issuer, A);
    let found = reason(&mut issuer, A, first.id);
    assert_eq!(found, RejectReason::UnknownTask);
    assert!(issuer.close(B, idle.id).is_ok());
    issuer.leave(A);
    let found = reason(&mut issuer, A, first.id);
    assert_eq!(found, RejectReason::UnknownTask);
}

#[test]
fn reset_volunteer_resets_momentum() {
    let mut issuer = issuer();
    assert!(pass(&mut issuer, A).reset_momentum);
    assert!(!pass(&mut issuer, A).reset_momentum);
    issuer.reset(A);
    assert!(pass(&mut issuer, A).reset_momentum);
}

#[test]
fn continued_issuer_issues_same_tasks() {
    let mut issuer = issuer();
    (0..5).for_each(|_| _ = pass(&mut issuer, A));
    let state = issuer.clone().into_state();
    let mut continued = self::issuer().with_state(state);
    for _ in 0..5 {
        assert_eq!(pass(&mut continued, A), pass(&mut issuer, A));
    }
}

#[test]
fn version_without_memory_is_dropped() {
    let mut issuer = issuer();
    let task = issue(&mut issuer, A);
    issuer.drop_version(task.id);
    let closed = issuer.close(A, task.id).unwrap();
    assert_eq!(closed.task, task);
    assert!(closed.version.get().is_none());
}
