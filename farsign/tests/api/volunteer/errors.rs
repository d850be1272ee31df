//! Errors of the volunteer state machine, and frames in unusual order.

use std::sync::Arc;

use farsign::dataset::{Dataset, DatasetParts};
use farsign::estimate::Order;
use farsign::task::{Goodbye, GoodbyeReason, RejectReason, RunSettings, Task, TaskId, VolunteerId};
use farsign::version::{Version, VersionHash};
use farsign::volunteer::{Event, Volunteer, VolunteerError};
use farsign::wire::{
    ClientFrame, ClientRecord, EncodedVersion, ServerFrame, WireError, read_client_frame,
};

use super::server::Run;
use super::{grid, images};

/// Parameters of softmax regression from 16 pixels to 3 classes.
const D: usize = 51;

/// A version of softmax regression with `D` equal parameters.
fn version(number: u64, x: i32) -> Version {
    Version::round(number, 0, &[x; D], grid(20, 0))
}

/// A task against a version.
fn task(version: &Version) -> Task {
    Task {
        id: TaskId(9),
        version: version.hash(),
        minibatch_seed: 2,
        direction_seed: 3,
        coin_seed: 4,
        images: 16,
        shards: 1,
        reset_momentum: false,
    }
}

fn run(order: Order) -> Run {
    Run::plain(vec![16, 3], order)
}

fn settings(order: Order, train: &Dataset) -> RunSettings {
    run(order).settings(train)
}

fn frame(write: impl FnOnce(&mut ServerFrame<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut ServerFrame::new(&mut out));
    out
}

/// A frame with a version as differences to another, or to zeros.
fn version_frame(version: &Version, base: Option<&Version>) -> Vec<u8> {
    frame(|frame| _ = frame.version(&EncodedVersion::new(version, base)))
}

/// The events of a frame.
fn receive(volunteer: &mut Volunteer, frame: &[u8]) -> Result<Vec<Event>, VolunteerError> {
    let mut events = Vec::new();
    volunteer.receive(frame, &mut events).map(|()| events)
}

/// A volunteer after the welcome, without a version.
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
        let run = Run::plain(widths, Order::First);
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
    let version = version(1, 0);
    let task = task(&version);
    let frames = [
        version_frame(&version, None),
        frame(|frame| _ = frame.task(&task)),
    ];
    for frame in frames {
        let received = receive(&mut volunteer, &frame);
        assert_eq!(received, Err(VolunteerError::NoWelcome));
    }
    assert_eq!(
        volunteer.compute_update(&task),
        Err(VolunteerError::NoWelcome)
    );
    assert_eq!((volunteer.parameters(), volunteer.version()), (None, None));
}

#[test]
fn left_session_computes_nothing() {
    let mut volunteer = joined(Order::First);
    let version = version(1, 0);
    receive(&mut volunteer, &version_frame(&version, None)).unwrap();
    assert!(volunteer.leave());
    assert!(!volunteer.leave());
    assert_eq!(
        volunteer.compute_update(&task(&version)),
        Err(VolunteerError::NoWelcome)
    );
}

#[test]
fn version_of_other_size_is_rejected() {
    for found in [0, D - 1, D + 1] {
        let mut volunteer = joined(Order::First);
        let version = Version::round(1, 0, &vec![5; found], grid(20, 0));
        let received = receive(&mut volunteer, &version_frame(&version, None));
        let error = VolunteerError::VersionSize {
            expected: D,
            found: found as u32,
        };
        assert_eq!(received, Err(error));
        assert_eq!(volunteer.version(), None);
    }
}

#[test]
fn task_without_version_requests_it() {
    let mut volunteer = joined(Order::First);
    let (wrong, right) = (version(1, 7), version(1, 8));
    receive(&mut volunteer, &version_frame(&wrong, None)).unwrap();
    let task = task(&right);
    let frame = frame(|frame| _ = frame.task(&task));
    let missing = Event::VersionMissing(task.id);
    assert_eq!(receive(&mut volunteer, &frame), Ok(vec![missing]));
    let found = right.hash();
    assert_eq!(
        volunteer.compute_update(&task),
        Err(VolunteerError::UnknownVersion { found })
    );
    let mut request = Vec::new();
    ClientFrame::version_request(task.id, &mut request);
    let record = ClientRecord::VersionRequest { task: task.id };
    assert_eq!(read_client_frame(&request), Ok(record));
    receive(&mut volunteer, &version_frame(&right, None)).unwrap();
    assert_eq!(receive(&mut volunteer, &frame), Ok(vec![Event::Task(task)]));
    assert!(volunteer.compute_update(&task).is_ok());
}

#[test]
fn repeated_mismatch_ends_session() {
    let mut volunteer = joined(Order::First);
    let task = Task {
        version: VersionHash([3; 32]),
        ..task(&version(1, 0))
    };
    let frame = frame(|frame| _ = frame.task(&task));
    let received: Vec<_> = (0..4).map(|_| receive(&mut volunteer, &frame)).collect();
    assert!(received[..3].iter().all(Result::is_ok), "{received:?}");
    let error = VolunteerError::Mismatch {
        expected: task.version,
        attempts: 3,
    };
    assert_eq!(received[3], Err(error));
}

#[test]
fn unknown_base_is_rejected() {
    let mut volunteer = joined(Order::First);
    let (held, other, newer) = (version(1, 1), version(2, 2), version(3, 3));
    receive(&mut volunteer, &version_frame(&held, None)).unwrap();
    let found = other.hash();
    assert_eq!(
        receive(&mut volunteer, &version_frame(&newer, Some(&other))),
        Err(VolunteerError::Base { found })
    );
    receive(&mut volunteer, &version_frame(&newer, Some(&held))).unwrap();
    assert_eq!(volunteer.version(), Some(3));
}

#[test]
fn differences_equal_whole_version() {
    let mut by_differences = joined(Order::First);
    let mut by_whole = joined(Order::First);
    let x: Vec<i32> = (0..D as i32).map(|i| i * i * 300 - 20_000).collect();
    let newer = Version::round(2, 0, &x, grid(20, 3));
    let base = version(1, 77);
    receive(&mut by_differences, &version_frame(&base, None)).unwrap();
    receive(&mut by_differences, &version_frame(&newer, Some(&base))).unwrap();
    receive(&mut by_whole, &version_frame(&newer, None)).unwrap();
    let task = task(&newer);
    assert_eq!(bits(&mut by_differences, task), bits(&mut by_whole, task));
}

#[test]
fn overflowing_loss_rejected() {
    let train = images(1, 30);
    let widths = vec![16, 4, 4, 4, 4, 4, 3];
    for order in [Order::First, Order::Zeroth { delta: 0.01 }] {
        let settings = Run {
            widths: widths.clone(),
            ..run(order)
        }
        .settings(&train);
        let d = settings.architecture.parameters();
        let mut volunteer = Volunteer::new(Arc::new(train.clone()));
        let huge = Version::round(1, 0, &vec![i32::MAX; d], grid(0, 0));
        let small = Version::round(2, 0, &vec![1; d], grid(20, 0));
        let opening = frame(|frame| {
            frame
                .welcome(VolunteerId(1), &settings)
                .version(&EncodedVersion::new(&huge, None));
        });
        receive(&mut volunteer, &opening).unwrap();
        let mut out = vec![1, 2, 3];
        let version = huge.hash();
        assert_eq!(
            volunteer.write_update(&task(&huge), &mut out),
            Err(VolunteerError::NonFinite { version }),
            "{order:?}"
        );
        assert_eq!(out, [1, 2, 3], "something was written");
        receive(&mut volunteer, &version_frame(&small, None)).unwrap();
        assert!(volunteer.write_update(&task(&small), &mut out).is_ok());
    }
}

#[test]
fn reset_discards_momentum() {
    let version = version(1, 0);
    let first = task(&version);
    for order in [Order::First, Order::Zeroth { delta: 0.01 }] {
        let [mut kept, mut reset, mut fresh] = [(); 3].map(|()| {
            let mut volunteer = joined(order);
            receive(&mut volunteer, &version_frame(&version, None)).unwrap();
            volunteer
        });
        for minibatch_seed in 10..14 {
            let task = Task {
                minibatch_seed,
                ..first
            };
            assert_eq!(bits(&mut kept, task), bits(&mut reset, task));
        }
        let with_reset = Task {
            reset_momentum: true,
            ..first
        };
        let after_reset = bits(&mut reset, with_reset);
        assert_ne!(
            bits(&mut kept, first),
            after_reset,
            "{order:?}: the reset changed nothing"
        );
        assert_eq!(
            after_reset,
            bits(&mut fresh, first),
            "{order:?}: state remains after the reset"
        );
    }
}

#[test]
fn events_follow_record_order() {
    let mut volunteer = joined(Order::First);
    let version = version(8, 0);
    let task = task(&version);
    let goodbye = Goodbye {
        reason: GoodbyeReason::RunFinished,
        retry_after_ms: None,
    };
    let everything = frame(|frame| {
        frame
            .accepted(TaskId(1), 5)
            .rejected(TaskId(2), RejectReason::TaskTimedOut);
        frame
            .version(&EncodedVersion::new(&version, None))
            .task(&task)
            .goodbye(goodbye);
    });
    let expected = vec![
        Event::Accepted(5),
        Event::Rejected(RejectReason::TaskTimedOut),
        Event::Task(task),
        Event::Goodbye(goodbye),
    ];
    assert_eq!(receive(&mut volunteer, &everything), Ok(expected));
    assert_eq!(
        (volunteer.parameters(), volunteer.version()),
        (Some(D), Some(8))
    );
    let other_version = WireError::Version { found: 1 };
    assert_eq!(
        receive(&mut volunteer, &[1]),
        Err(VolunteerError::Wire(other_version))
    );
}

#[test]
fn open_tasks_keep_their_versions() {
    let nth = |n: u64| version(n, 1 << (20 - n));
    let task = |id, version: &Version| Task {
        id: TaskId(id),
        reset_momentum: true,
        minibatch_seed: id,
        ..task(version)
    };
    let alone = |task: Task, version: &Version| {
        let mut volunteer = joined(Order::First);
        receive(&mut volunteer, &version_frame(version, None)).unwrap();
        bits(&mut volunteer, task)
    };
    let mut volunteer = joined(Order::First);
    let first = frame(|frame| _ = frame.task(&task(1, &nth(1))));
    receive(&mut volunteer, &version_frame(&nth(1), None)).unwrap();
    receive(&mut volunteer, &first).unwrap();
    for n in 2..20 {
        // The next version and its task arrive before the last task is computed.
        let (base, newer) = (nth(n - 1), nth(n));
        let encoded = EncodedVersion::new(&newer, Some(&base));
        let (open, next) = (task(n - 1, &base), task(n, &newer));
        let second = frame(|frame| _ = frame.version(&encoded).task(&next));
        receive(&mut volunteer, &second).unwrap();
        assert_eq!(volunteer.next_task(), Some(open));
        let third = frame(|frame| _ = frame.task(&task(n + 1, &newer)));
        assert_eq!(
            receive(&mut volunteer, &third),
            Err(VolunteerError::TooManyTasks)
        );
        assert_eq!(bits(&mut volunteer, open), alone(open, &base));
        assert_eq!(volunteer.next_task(), Some(next));
    }
}

#[test]
fn missing_version_drops_open_tasks() {
    let mut volunteer = joined(Order::First);
    let (held, other) = (version(1, 1), version(2, 2));
    let opening = frame(|frame| {
        frame
            .version(&EncodedVersion::new(&held, None))
            .task(&task(&held));
    });
    receive(&mut volunteer, &opening).unwrap();
    assert_eq!(volunteer.next_task(), Some(task(&held)));
    let second = Task {
        id: TaskId(10),
        ..task(&other)
    };
    let frame = frame(|frame| _ = frame.task(&second));
    let missing = Event::VersionMissing(second.id);
    assert_eq!(receive(&mut volunteer, &frame), Ok(vec![missing]));
    assert_eq!(volunteer.next_task(), None, "the server closes both tasks");
}
