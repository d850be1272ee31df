//! Every frame byte for byte: encoding yields the committed bytes, and decoding them yields the record.

use std::sync::Arc;

use farsign::direction::{DirectionFamily, DirectionSpec};
use farsign::estimate::Order;
use farsign::model::Architecture;
use farsign::sign::SignBits;
use farsign::step::Step;
use farsign::task::{
    Goodbye, GoodbyeReason, RejectReason, RunSettings, Secret, Task, TaskId, VolunteerId,
};
use farsign::wire::{
    Capabilities, ClientFrame, ClientRecord, EncodedSnapshot, EncodedSteps, Hello, ServerFrame,
    ServerRecord, read_client_frame, read_server_frame,
};

use crate::values::Golden;

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A frame from the server, written by `write`.
pub fn server_frame(write: impl FnOnce(&mut ServerFrame<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut ServerFrame::new(&mut out));
    out
}

/// The one record of a frame.
fn read(frame: &[u8]) -> ServerRecord<'_> {
    let mut records = read_server_frame(frame).unwrap();
    let record = records.next().unwrap().unwrap();
    assert!(records.next().is_none(), "more than one record");
    record
}

fn settings(order: Order, family: DirectionFamily, count: usize) -> RunSettings {
    let architecture = Architecture::new(vec![6, 4, 3]).unwrap();
    let directions = DirectionSpec::new(family, count, architecture.parameters()).unwrap();
    RunSettings {
        run_id: 0x0123_4567_89ab_cdef,
        architecture,
        order,
        directions,
        batch: 128,
        beta: 0.3,
        task_timeout_ms: 60_000,
        train_digest: std::array::from_fn(|i| i as u8),
    }
}

#[test]
fn client_frames() {
    let mut golden = Golden::new("client.txt", include_str!("../../testdata/client.txt"));
    let mut frame = Vec::new();
    for agent in ["a", "farsign 0.1.0", "Zürich ✓", &"x".repeat(64)] {
        let hello = Hello {
            agent,
            ..Hello::default()
        };
        ClientFrame::hello(&hello, &mut frame);
        golden.bytes(&format!("hello {agent}"), &frame);
        assert_eq!(read_client_frame(&frame), Ok(ClientRecord::Hello(hello)));
    }
    let mut truncated = Vec::new();
    ClientFrame::hello(
        &Hello {
            agent: &"x".repeat(65),
            ..Hello::default()
        },
        &mut truncated,
    );
    assert_eq!(truncated, frame, "a longer name is truncated to 64 bytes");

    for (deltas, half_snapshots, name) in [
        (true, false, "hello with deltas"),
        (false, true, "hello with half precision"),
        (true, true, "hello with deltas and half precision"),
    ] {
        let capabilities = Capabilities {
            deltas,
            half_snapshots,
        };
        let hello = Hello {
            agent: "deltas",
            capabilities,
            ..Hello::default()
        };
        ClientFrame::hello(&hello, &mut frame);
        golden.bytes(name, &frame);
        assert_eq!(read_client_frame(&frame), Ok(ClientRecord::Hello(hello)));
    }

    let secret = Secret(std::array::from_fn(|i| 0xf0 + i as u8));
    let token = "Türöffner";
    for (secret, token, name) in [
        (Some(secret), None, "hello with a secret"),
        (None, Some(token), "hello with a token"),
        (Some(secret), Some(token), "hello with a secret and a token"),
    ] {
        let hello = Hello {
            agent: "known",
            secret,
            token,
            ..Hello::default()
        };
        ClientFrame::hello(&hello, &mut frame);
        golden.bytes(name, &frame);
        assert_eq!(read_client_frame(&frame), Ok(ClientRecord::Hello(hello)));
    }

    let mut signs = SignBits::default();
    for (task, y) in [
        (1, vec![1.0]),
        (0x1122_3344_5566_7788, vec![-1.0; 8]),
        (u64::MAX, vec![1.0; 9]),
    ] {
        signs.copy_from(&y, 0);
        ClientFrame::update(TaskId(task), &signs, &mut frame);
        golden.bytes(&format!("update {task} of {} signs", y.len()), &frame);
        let update = ClientRecord::Update {
            task: TaskId(task),
            bits: signs.as_bytes(),
        };
        assert_eq!(read_client_frame(&frame), Ok(update));
    }
    for ms in [0, 600, u32::MAX] {
        ClientFrame::rest(ms, &mut frame);
        golden.bytes(&format!("rest of {ms} ms"), &frame);
        assert_eq!(read_client_frame(&frame), Ok(ClientRecord::Rest { ms }));
    }
    golden.check();
}

#[test]
fn welcomes() {
    let mut golden = Golden::new("welcome.txt", include_str!("../../testdata/welcome.txt"));
    let families = [
        (DirectionFamily::Coordinate, 43),
        (DirectionFamily::Hadamard { block: 8 }, 43),
        (DirectionFamily::Rademacher, 5),
        (DirectionFamily::Sparse { nonzeros: 3 }, 7),
    ];
    for order in [Order::First, Order::Zeroth { delta: 0.001 }] {
        for (family, count) in families {
            let settings = settings(order, family, count);
            let frame = server_frame(|frame| _ = frame.welcome(VolunteerId(42), &settings));
            golden.bytes(&format!("{order:?} {family:?} {count}"), &frame);
            let ServerRecord::Welcome(welcome) = read(&frame) else {
                panic!("not read as a welcome")
            };
            assert_eq!(
                (welcome.volunteer, welcome.settings),
                (VolunteerId(42), settings)
            );
        }
    }
    golden.check();
}

#[test]
fn server_frames() {
    let mut golden = Golden::new("server.txt", include_str!("../../testdata/server.txt"));
    let mut add = |name: &str, write: &dyn Fn(&mut ServerFrame<'_>), expected: ServerRecord<'_>| {
        let frame = server_frame(write);
        golden.bytes(name, &frame);
        assert_eq!(read(&frame), expected, "{name}");
    };
    for reset_momentum in [false, true] {
        let task = Task {
            id: TaskId(7),
            snapshot_version: 3,
            minibatch_seed: 0x1111_1111_1111_1111,
            direction_seed: 0x2222_2222_2222_2222,
            coin_seed: u64::MAX,
            images: 128,
            reset_momentum,
        };
        let name = if reset_momentum {
            "task with reset"
        } else {
            "task"
        };
        add(
            name,
            &|frame| _ = frame.task(&task),
            ServerRecord::Task(task),
        );
    }
    let accepted = ServerRecord::Accepted {
        task: TaskId(7),
        accepted: 1234,
    };
    add(
        "accepted",
        &|frame| _ = frame.accepted(TaskId(7), 1234),
        accepted,
    );
    for &reason in RejectReason::ALL {
        let rejected = ServerRecord::Rejected {
            task: TaskId(7),
            reason,
        };
        add(
            &format!("rejected {}", reason.name()),
            &|frame| _ = frame.rejected(TaskId(7), reason),
            rejected,
        );
    }
    for &reason in GoodbyeReason::ALL {
        for (name, retry_after_ms) in [("for good", None), ("for now", Some(5_000))] {
            let goodbye = Goodbye {
                reason,
                retry_after_ms,
            };
            let name = format!("goodbye {} {name}", reason.name());
            add(
                &name,
                &|frame| _ = frame.goodbye(goodbye),
                ServerRecord::Goodbye(goodbye),
            );
        }
    }
    golden.check();
}

#[test]
fn snapshots_and_combined_frames() {
    let mut golden = Golden::new("snapshot.txt", include_str!("../../testdata/snapshot.txt"));
    let x = [
        0.5,
        -0.5,
        0.25,
        -0.0,
        1e-45,
        f32::MIN,
        f32::MAX,
        0.1,
        1.0 / 3.0,
    ];
    let snapshot = EncodedSnapshot::new(3, Arc::from(x));
    let frame = server_frame(|frame| _ = frame.snapshot(&snapshot));
    golden.bytes("snapshot", &frame);
    let ServerRecord::Snapshot(body) = read(&frame) else {
        panic!("not read as a snapshot")
    };
    let mut unpacked = Vec::new();
    body.unpack(&mut unpacked).unwrap();
    let bits = |x: &[f32]| x.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!(
        (body.version, body.parameters(), bits(&unpacked)),
        (3, 9, bits(&x))
    );

    let task = Task {
        id: TaskId(8),
        snapshot_version: 3,
        minibatch_seed: 1,
        direction_seed: 2,
        coin_seed: 3,
        images: 4,
        reset_momentum: false,
    };
    let frame =
        server_frame(|frame| _ = frame.accepted(TaskId(7), 1).snapshot(&snapshot).task(&task));
    golden.bytes("accepted, snapshot, task", &frame);
    let records: Result<Vec<_>, _> = read_server_frame(&frame).unwrap().collect();
    let accepted = ServerRecord::Accepted {
        task: TaskId(7),
        accepted: 1,
    };
    assert_eq!(
        records,
        Ok(vec![
            accepted,
            ServerRecord::Snapshot(body),
            ServerRecord::Task(task)
        ])
    );
    golden.bytes("no record", &server_frame(|_| ()));
    golden.check();
}

#[test]
fn half_snapshots() {
    let mut golden = Golden::new("half.txt", include_str!("../../testdata/half.txt"));
    let mut add = |name: &str, x: &[f32]| {
        let snapshot = EncodedSnapshot::new(3, Arc::from(x));
        let frame = server_frame(|frame| _ = frame.half_snapshot(&snapshot));
        golden.bytes(name, &frame);
        let ServerRecord::Snapshot(body) = read(&frame) else {
            panic!("not read as a snapshot")
        };
        let mut unpacked = Vec::new();
        body.unpack(&mut unpacked).unwrap();
        assert_eq!((body.version, body.parameters()), (3, x.len()));
        golden.floats(&format!("{name}, read"), &unpacked);
    };
    add(
        "exact",
        &[
            0.5, -0.5, 0.25, 0.0, -0.0, 1.0, 2.0, -2.0, 0.125, 65_504.0, -65_504.0,
        ],
    );
    add(
        "rounded",
        &[
            0.1,
            1.0 / 3.0,
            -0.7,
            1e-3,
            3e-5,
            2e-7,
            1e-7,
            -3e-8,
            2.9e-8,
            1e-45,
            1234.5678,
            65_519.99,
        ],
    );
    // Halfway: to the even one, below 1, above 1, and among subnormals.
    let eps = 1.0 / 2048.0;
    add(
        "halfway",
        &[
            1.0 + eps,
            1.0 + 3.0 * eps,
            -1.0 - eps,
            1.0 - eps / 2.0,
            2.980_232_2e-8,
            8.940_697e-8,
        ],
    );
    add("too large", &[0.1, 65_520.0]);
    add("empty", &[]);
    golden.check();
}

/// Signs `+ - - + + - + - -`, and nine times `-`.
fn steps() -> [Step; 2] {
    let step = |direction_seed, scale, y: &[f32]| {
        let mut step = Step {
            direction_seed,
            scale,
            ..Step::default()
        };
        step.signs.copy_from(y, 0);
        step
    };
    [
        step(1, -0.5, &[1.0, -1.0, -1.0, 1.0, 1.0, -1.0, 1.0, -1.0, -1.0]),
        step(2, 0.25, &[-1.0; 9]),
    ]
}

/// The encoded steps.
pub fn example_steps() -> EncodedSteps {
    let mut encoded = EncodedSteps::default();
    steps().iter().for_each(|step| encoded.push(step));
    encoded
}

#[test]
fn deltas() {
    let mut golden = Golden::new("delta.txt", include_str!("../../testdata/delta.txt"));
    let steps = steps();
    let frame = server_frame(|frame| _ = frame.delta(3, 5, [&example_steps()]));
    golden.bytes("two steps", &frame);
    let ServerRecord::Delta(delta) = read(&frame) else {
        panic!("not read as a delta")
    };
    let mut found = Vec::new();
    delta
        .for_each_step(9, &mut Step::default(), |step| found.push(step.clone()))
        .unwrap();
    assert_eq!((delta.base, delta.version, &found[..]), (3, 5, &steps[..]));
    golden.check();
}
