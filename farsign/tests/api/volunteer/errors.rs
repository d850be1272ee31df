//! Errors of the volunteer state machine, and frames in unusual order.

use std::sync::Arc;

use farsign::dataset::{Dataset, DatasetParts};
use farsign::direction::DirectionFamily;
use farsign::estimate::Order;
use farsign::optimizer::Rule;
use farsign::step::Step;
use farsign::task::{Goodbye, GoodbyeReason, RejectReason, RunSettings, Task, TaskId, VolunteerId};
use farsign::volunteer::{Event, Volunteer, VolunteerError};
use farsign::wire::{EncodedSnapshot, EncodedSteps, ServerFrame, WireError};

use super::images;
use super::server::Run;

/// Parameters of softmax regression from 16 pixels to 3 classes.
const D: usize = 51;

const TASK: Task = Task {
    id: TaskId(9),
    snapshot_version: 1,
    minibatch_seed: 2,
    direction_seed: 3,
    coin_seed: 4,
    images: 16,
    reset_momentum: false,
};

fn settings(order: Order, train: &Dataset) -> RunSettings {
    let family = DirectionFamily::Coordinate;
    let rule = Rule::Plain;
    Run {
        widths: vec![16, 3],
        order,
        rule,
        family,
        directions: 0,
        alpha: 0.1,
        horizon: 1.0,
        resets: None,
    }
    .settings(train)
}

fn frame(write: impl FnOnce(&mut ServerFrame<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut ServerFrame::new(&mut out));
    out
}

fn snapshot(version: u64, x: &[f32]) -> Vec<u8> {
    frame(|frame| _ = frame.snapshot(&EncodedSnapshot::new(version, Arc::from(x))))
}

/// The events of a frame.
fn receive(volunteer: &mut Volunteer, frame: &[u8]) -> Result<Vec<Event>, VolunteerError> {
    let mut events = Vec::new();
    volunteer.receive(frame, &mut events).map(|()| events)
}

/// A volunteer after the welcome, without a snapshot.
fn joined(order: Order) -> Volunteer {
    let train = images(1, 30);
    let settings = settings(order, &train);
    let mut volunteer = Volunteer::new(Arc::new(train));
    let welcome = frame(|frame| _ = frame.welcome(VolunteerId(1), &settings));
    assert_eq!(receive(&mut volunteer, &welcome), Ok(vec![Event::Joined]));
    volunteer
}

/// The packed signs of a volunteer's update.
fn bits(volunteer: &mut Volunteer, task: Task) -> Vec<u8> {
    volunteer.compute_update(&task).unwrap().as_bytes().to_vec()
}

#[test]
fn other_training_data_is_rejected() {
    let mut volunteer = Volunteer::new(Arc::new(images(2, 30)));
    let others = settings(Order::First, &images(1, 30));
    let welcome = frame(|frame| _ = frame.welcome(VolunteerId(1), &others));
    assert_eq!(
        receive(&mut volunteer, &welcome),
        Err(VolunteerError::DatasetMismatch)
    );
    assert_eq!(
        volunteer.parameters(),
        None,
        "a session started with other data"
    );
}

#[test]
fn model_must_match_images() {
    // The digest matches; the volunteer has 2 pixels and 4 classes.
    let parts = DatasetParts {
        rows: 1,
        cols: 2,
        images: vec![1; 8],
        labels: vec![0, 1, 2, 3],
    };
    let data = Dataset::from_parts(parts).unwrap();
    for (widths, fits) in [
        (vec![2, 4], true),
        (vec![2, 5], true),
        (vec![3, 4], false),
        (vec![2, 3], false),
    ] {
        let run = Run {
            widths,
            order: Order::First,
            rule: Rule::Plain,
            family: DirectionFamily::Coordinate,
            directions: 0,
            alpha: 0.1,
            horizon: 1.0,
            resets: None,
        };
        let welcome = frame(|frame| _ = frame.welcome(VolunteerId(1), &run.settings(&data)));
        let received = receive(&mut Volunteer::new(Arc::new(data.clone())), &welcome);
        let expected = if fits {
            Ok(vec![Event::Joined])
        } else {
            Err(VolunteerError::DatasetMismatch)
        };
        assert_eq!(received, expected, "{run:?}");
    }
}

#[test]
fn records_before_welcome_rejected() {
    let mut volunteer = Volunteer::new(Arc::new(images(1, 30)));
    assert_eq!(
        receive(&mut volunteer, &snapshot(1, &[0.0; D])),
        Err(VolunteerError::NoWelcome)
    );
    let task = frame(|frame| _ = frame.task(&TASK));
    assert_eq!(receive(&mut volunteer, &task), Ok(vec![Event::Task(TASK)]));
    assert_eq!(
        volunteer.compute_update(&TASK),
        Err(VolunteerError::NoWelcome)
    );
    assert_eq!(
        (volunteer.parameters(), volunteer.snapshot_version()),
        (None, None)
    );
}

#[test]
fn left_session_computes_nothing() {
    let mut volunteer = joined(Order::First);
    receive(&mut volunteer, &snapshot(1, &[0.0; D])).unwrap();
    assert!(volunteer.leave());
    assert!(!volunteer.leave());
    assert_eq!(
        volunteer.compute_update(&TASK),
        Err(VolunteerError::NoWelcome)
    );
}

#[test]
fn snapshot_size_mismatch_rejected() {
    for found in [0, D - 1, D + 1] {
        let mut volunteer = joined(Order::First);
        let error = VolunteerError::SnapshotSize { expected: D, found };
        assert_eq!(
            receive(&mut volunteer, &snapshot(1, &vec![0.0; found])),
            Err(error)
        );
        assert_eq!(volunteer.snapshot_version(), None);
    }
}

#[test]
fn missing_snapshot_rejected() {
    let mut volunteer = joined(Order::First);
    let error = |expected, found| Err(VolunteerError::SnapshotVersion { expected, found });
    assert_eq!(volunteer.compute_update(&TASK), error(None, 1));
    receive(&mut volunteer, &snapshot(2, &[0.0; D])).unwrap();
    assert_eq!(volunteer.compute_update(&TASK), error(Some(2), 1));
    receive(&mut volunteer, &snapshot(1, &[0.0; D])).unwrap();
    assert!(volunteer.compute_update(&TASK).is_ok());
}

#[test]
fn delta_base_mismatch_rejected() {
    let delta = |base| frame(|frame| _ = frame.delta(base, base + 1, [&EncodedSteps::default()]));
    let mut volunteer = joined(Order::First);
    let error = |expected, found| Err(VolunteerError::SnapshotVersion { expected, found });
    assert_eq!(receive(&mut volunteer, &delta(1)), error(None, 1));
    receive(&mut volunteer, &snapshot(1, &[0.0; D])).unwrap();
    assert_eq!(receive(&mut volunteer, &delta(0)), error(Some(1), 0));
    assert_eq!(receive(&mut volunteer, &delta(1)), Ok(vec![]));
    assert_eq!(volunteer.snapshot_version(), Some(2));
}

#[test]
fn delta_equals_snapshot() {
    let mut by_steps = joined(Order::First);
    let mut by_snapshot = joined(Order::First);
    let mut step = Step {
        direction_seed: 4,
        scale: -0.125,
        ..Step::default()
    };
    step.signs.copy_from(&[0.0; D], 77);
    let mut steps = EncodedSteps::default();
    steps.push(&step);
    let newer: Vec<f32> = step.signs.iter().map(|s| 0.5 - 0.125 * s).collect();
    receive(&mut by_steps, &snapshot(1, &[0.5; D])).unwrap();
    receive(
        &mut by_steps,
        &frame(|frame| _ = frame.delta(1, 2, [&steps])),
    )
    .unwrap();
    receive(&mut by_snapshot, &snapshot(2, &newer)).unwrap();
    let task = Task {
        snapshot_version: 2,
        ..TASK
    };
    assert_eq!(bits(&mut by_steps, task), bits(&mut by_snapshot, task));
}

#[test]
fn half_precision_snapshot_is_used() {
    let x = [(); D].map(|()| 0.125); // exact in both
    let mut by_half = joined(Order::First);
    let mut by_single = joined(Order::First);
    let half = |version| {
        frame(|frame| _ = frame.half_snapshot(&EncodedSnapshot::new(version, Arc::from(x))))
    };
    assert!(half(1).len() < snapshot(1, &x).len());
    receive(&mut by_half, &half(1)).unwrap();
    receive(&mut by_single, &snapshot(1, &x)).unwrap();
    assert_eq!(bits(&mut by_half, TASK), bits(&mut by_single, TASK));
    // A server sends f32 if half precision would overflow.
    receive(&mut by_half, &snapshot(1, &[70_000.0; D])).unwrap();
    receive(&mut by_half, &half(1)).unwrap();
    assert_eq!(bits(&mut by_half, TASK), bits(&mut by_single, TASK));
}

#[test]
fn non_finite_snapshot_is_rejected() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut volunteer = joined(Order::First);
        receive(&mut volunteer, &snapshot(1, &[0.0; D])).unwrap();
        let mut x = [0.0; D];
        x[D - 1] = bad;
        let error = WireError::NonFinite {
            what: "a parameter",
            found: bad.to_string(),
        };
        assert_eq!(
            receive(&mut volunteer, &snapshot(2, &x)),
            Err(VolunteerError::Wire(error))
        );
        // Half of it may have been taken in: neither version can be worked on.
        assert_eq!(volunteer.snapshot_version(), None);
        assert!(volunteer.compute_update(&TASK).is_err());
    }
}

#[test]
fn overflowing_loss_rejected() {
    let mut logits_overflow = [3e38; D];
    logits_overflow[D - 3..].fill(0.0);
    // The probability of class 1 is 0: the loss is infinite, the gradient is not.
    let mut loss_overflows = [0.0; D];
    loss_overflows[D - 3..].copy_from_slice(&[3e38, -3e38, 0.0]);
    for order in [Order::First, Order::Zeroth { delta: 0.01 }] {
        for x in [logits_overflow, loss_overflows] {
            let mut volunteer = joined(order);
            receive(&mut volunteer, &snapshot(1, &x)).unwrap();
            let mut out = vec![1, 2, 3];
            let error = VolunteerError::NonFinite { version: 1 };
            assert_eq!(
                volunteer.write_update(&TASK, &mut out),
                Err(error),
                "{order:?}"
            );
            assert_eq!(out, [1, 2, 3], "something was written");
            // The session continues with the next snapshot, and the task has no effect.
            receive(&mut volunteer, &snapshot(1, &[0.0; D])).unwrap();
            let mut fresh = joined(order);
            receive(&mut fresh, &snapshot(1, &[0.0; D])).unwrap();
            assert_eq!(bits(&mut volunteer, TASK), bits(&mut fresh, TASK));
        }
    }
}

#[test]
fn reset_discards_momentum() {
    for order in [Order::First, Order::Zeroth { delta: 0.01 }] {
        let [mut kept, mut reset, mut fresh] = [(); 3].map(|()| {
            let mut volunteer = joined(order);
            receive(&mut volunteer, &snapshot(1, &[0.0; D])).unwrap();
            volunteer
        });
        for minibatch_seed in 10..14 {
            let task = Task {
                minibatch_seed,
                ..TASK
            };
            assert_eq!(bits(&mut kept, task), bits(&mut reset, task));
        }
        let with_reset = Task {
            reset_momentum: true,
            ..TASK
        };
        let after_reset = bits(&mut reset, with_reset);
        assert_ne!(
            bits(&mut kept, TASK),
            after_reset,
            "{order:?}: the reset changed nothing"
        );
        assert_eq!(
            after_reset,
            bits(&mut fresh, TASK),
            "{order:?}: state remains after the reset"
        );
    }
}

#[test]
fn events_follow_record_order() {
    let mut volunteer = joined(Order::First);
    let goodbye = Goodbye {
        reason: GoodbyeReason::RunFinished,
        retry_after_ms: None,
    };
    let everything = frame(|frame| {
        frame
            .accepted(TaskId(1), 5)
            .rejected(TaskId(2), RejectReason::TaskTimedOut);
        frame
            .snapshot(&EncodedSnapshot::new(8, Arc::from([0.0; D])))
            .task(&TASK)
            .goodbye(goodbye);
    });
    let expected = vec![
        Event::Accepted(5),
        Event::Rejected(RejectReason::TaskTimedOut),
        Event::Task(TASK),
        Event::Goodbye(goodbye),
    ];
    assert_eq!(receive(&mut volunteer, &everything), Ok(expected));
    assert_eq!(
        (volunteer.parameters(), volunteer.snapshot_version()),
        (Some(D), Some(8))
    );
    let other_version = WireError::Version { found: 2 };
    assert_eq!(
        receive(&mut volunteer, &[2]),
        Err(VolunteerError::Wire(other_version))
    );
}

#[test]
fn open_tasks_keep_their_snapshots() {
    let x = |value: f32| [(); D].map(|()| value);
    let task = |id, version| Task {
        id: TaskId(id),
        snapshot_version: version,
        reset_momentum: true,
        minibatch_seed: id,
        ..TASK
    };
    let alone = |task: Task, value: f32| {
        let mut volunteer = joined(Order::First);
        receive(&mut volunteer, &snapshot(task.snapshot_version, &x(value))).unwrap();
        bits(&mut volunteer, task)
    };
    let mut volunteer = joined(Order::First);
    let first = frame(|frame| _ = frame.task(&task(1, 1)));
    receive(&mut volunteer, &snapshot(1, &x(0.5))).unwrap();
    receive(&mut volunteer, &first).unwrap();
    for n in 2..20 {
        // The next version and its task arrive before the last task is computed.
        let base = x(0.5 / f32::from(n as u8 - 1));
        let newer = EncodedSnapshot::new(n, Arc::from(x(0.5 / f32::from(n as u8))));
        let second = frame(|frame| _ = frame.snapshot(&newer).task(&task(n, n)));
        receive(&mut volunteer, &second).unwrap();
        assert_eq!(volunteer.next_task(), Some(task(n - 1, n - 1)));
        let third = frame(|frame| _ = frame.task(&task(n + 1, n)));
        assert_eq!(
            receive(&mut volunteer, &third),
            Err(VolunteerError::TooManyTasks)
        );
        assert_eq!(
            bits(&mut volunteer, task(n - 1, n - 1)),
            alone(task(n - 1, n - 1), base[0])
        );
        assert_eq!(volunteer.next_task(), Some(task(n, n)));
    }
}
