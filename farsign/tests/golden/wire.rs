//! Every frame byte for byte: encoding yields the committed bytes, and decoding them yields the record.

use farsign::direction::{DirectionFamily, DirectionSpec};
use farsign::estimate::Order;
use farsign::fixed_point::FixedPoint;
use farsign::model::Architecture;
use farsign::sign::SignBits;
use farsign::task::{
    Goodbye, GoodbyeReason, RejectReason, RunSettings, Secret, Task, TaskId, VolunteerId,
};
use farsign::version::{Grid, Version, VersionHash};
use farsign::wire::{
    ClientFrame, ClientRecord, EncodedVersion, Hello, ServerFrame, ServerRecord, read_client_frame,
    read_server_frame,
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

    let secret = Secret(std::array::from_fn(|i| 0xf0 + i as u8));
    let token = "Türöffner";
    for (secret, token, name) in [
        (Some(secret), None, "hello with a secret"),
        (None, Some(token), "hello with a token"),
        (Some(secret), Some(token), "hello with a secret and a token"),
    ] {
        let hello = Hello {
            agent: "known",
            shards: 0x0203,
            secret,
            token,
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
    ClientFrame::version_request(TaskId(0x1122_3344_5566_7788), &mut frame);
    golden.bytes("version request", &frame);
    let request = ClientRecord::VersionRequest {
        task: TaskId(0x1122_3344_5566_7788),
    };
    assert_eq!(read_client_frame(&frame), Ok(request));
    for ms in [0, 600, u32::MAX] {
        ClientFrame::rest(ms, &mut frame);
        golden.bytes(&format!("rest of {ms} ms"), &frame);
        assert_eq!(read_client_frame(&frame), Ok(ClientRecord::Rest { ms }));
    }
    for bytes_per_s in [0, 28_000, u32::MAX] {
        ClientFrame::line_rate(bytes_per_s, &mut frame);
        golden.bytes(&format!("line rate of {bytes_per_s} bytes/s"), &frame);
        let rate = ClientRecord::LineRate { bytes_per_s };
        assert_eq!(read_client_frame(&frame), Ok(rate));
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
            version: VersionHash(std::array::from_fn(|i| 0x40 + i as u8)),
            minibatch_seed: 0x1111_1111_1111_1111,
            direction_seed: 0x2222_2222_2222_2222,
            coin_seed: u64::MAX,
            images: 128,
            shards: 1,
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
        message: 1234,
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

/// Two versions of nine parameters, the second on a finer grid.
pub fn example_versions() -> [Version; 2] {
    let version = |number, x: &[i32], shift| {
        let fixed_point = FixedPoint::new(10).unwrap();
        Version::round(number, 0, x, Grid { fixed_point, shift })
    };
    let x = [512, -512, 256, 0, 1024, -1024, 2048, -2048, 128];
    let moved = [508, -512, 260, 0, 1028, -1020, 2048, -2056, 128];
    [version(3, &x, 3), version(4, &moved, 2)]
}

#[test]
fn versions_and_combined_frames() {
    let mut golden = Golden::new("version.txt", include_str!("../../testdata/version.txt"));
    let [base, newer] = example_versions();
    let mut add = |name: &str, version: &Version, base: Option<&Version>| {
        golden.bytes(&format!("{name}, hash"), &version.hash().0);
        let encoded = EncodedVersion::new(version, base);
        let frame = server_frame(|frame| _ = frame.version(&encoded));
        golden.bytes(name, &frame);
        let ServerRecord::Version(body) = read(&frame) else {
            panic!("not read as a version")
        };
        assert_eq!(body.base, base.map(Version::hash));
        let d = version.k().len();
        let decoded =
            Version::from_differences(base, body.number, body.grid, body.differences, d).unwrap();
        assert_eq!(
            (decoded.number(), decoded.k()),
            (version.number(), version.k())
        );
        assert_eq!(decoded.hash(), version.hash());
    };
    add("whole", &base, None);
    add("to a finer grid", &newer, Some(&base));
    add("to a coarser grid", &base, Some(&newer));
    let wide: Vec<i32> = (0..9).map(|i| (i - 4) * 100_000_000).collect();
    let wide = Version::round(5, 0, &wide, newer.grid());
    add("large differences", &wide, Some(&newer));

    let task = Task {
        id: TaskId(8),
        version: newer.hash(),
        minibatch_seed: 1,
        direction_seed: 2,
        coin_seed: 3,
        images: 4,
        shards: 1,
        reset_momentum: false,
    };
    let encoded = EncodedVersion::new(&newer, Some(&base));
    let frame =
        server_frame(|frame| _ = frame.accepted(TaskId(7), 1).version(&encoded).task(&task));
    golden.bytes("accepted, version, task", &frame);
    let records: Vec<_> = read_server_frame(&frame)
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let [
        ServerRecord::Accepted { .. },
        ServerRecord::Version(body),
        last,
    ] = &records[..]
    else {
        panic!("{records:?}")
    };
    assert_eq!((body.number, last), (4, &ServerRecord::Task(task)));
    golden.bytes("no record", &server_frame(|_| ()));
    golden.check();
}
