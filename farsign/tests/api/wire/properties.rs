//! Properties of every frame, and of every corruption of one.

use std::sync::Arc;

use farsign::direction::{DirectionFamily, DirectionSpec};
use farsign::estimate::Order;
use farsign::model::Architecture;
use farsign::sign::SignBits;
use farsign::step::Step;
use farsign::task::{
    Goodbye, GoodbyeReason, RejectReason, RunSettings, Secret, Task, TaskId, VolunteerId,
};
use farsign::task_sizing::MAX_TASK_IMAGES;
use farsign::wire::{
    Capabilities, ClientFrame, ClientRecord, EncodedSnapshot, EncodedSteps, Hello, ServerRecord,
    VERSION, WireError, max_client_frame_bytes, read_client_frame, read_server_frame,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::{frame, read_all, server_frame};

fn signs(count: usize, seed: u64) -> SignBits {
    let mut signs = SignBits::default();
    signs.copy_from(&vec![0.0; count], seed);
    signs
}

fn orders() -> impl Strategy<Value = Order> {
    prop_oneof![
        Just(Order::First),
        (1e-6f32..1e3).prop_map(|delta| Order::Zeroth { delta })
    ]
}

fn settings() -> impl Strategy<Value = RunSettings> {
    let widths = prop::collection::vec(1usize..40, 1..15);
    let family = (0u8..4, 1u32..8);
    let numbers = (
        prop_oneof![Just(65_536u32), 1u32..=65_536],
        1e-6f32..=1.0,
        any::<(u32, u64, [u8; 32])>(),
    );
    (
        widths,
        2usize..=256,
        orders(),
        family,
        any::<Index>(),
        numbers,
    )
        .prop_map(
            |(
                mut widths,
                classes,
                order,
                (family, number),
                count,
                (batch, beta, (task_timeout_ms, run_id, digest)),
            )| {
                widths.push(classes);
                let architecture = Architecture::new(widths).unwrap();
                let d = architecture.parameters();
                let family = match family {
                    0 => DirectionFamily::Coordinate,
                    1 => DirectionFamily::Hadamard { block: 1 << number },
                    2 => DirectionFamily::Rademacher,
                    _ => DirectionFamily::Sparse {
                        nonzeros: number.min(d as u32),
                    },
                };
                let max = match family {
                    DirectionFamily::Sparse { nonzeros } => d / nonzeros as usize,
                    DirectionFamily::Rademacher => {
                        d.min((DirectionSpec::MAX_DENSE / d as u64) as usize)
                    }
                    _ => d,
                };
                let directions = DirectionSpec::new(family, 1 + count.index(max), d).unwrap();
                let train_digest = digest;
                RunSettings {
                    run_id,
                    architecture,
                    order,
                    directions,
                    batch,
                    beta,
                    task_timeout_ms,
                    train_digest,
                }
            },
        )
}

prop_compose! {
    fn tasks()(id: u64, snapshot_version: u64, seeds: [u64; 3], images in 1..=MAX_TASK_IMAGES, reset_momentum: bool) -> Task {
        let [minibatch_seed, direction_seed, coin_seed] = seeds;
        Task { id: TaskId(id), snapshot_version, minibatch_seed, direction_seed, coin_seed, images, reset_momentum }
    }
}

/// The smallest positive number in half precision.
const MIN_HALF: f64 = 1.0 / 16_777_216.0;

/// Numbers within the range of half precision, of all sizes.
fn halves() -> impl Strategy<Value = f32> {
    let below_32768 = 0u32..142; // exponents; that of 1 is 127
    let any_size =
        (any::<bool>(), below_32768, 0u32..1 << 23).prop_map(|(negative, exponent, fraction)| {
            f32::from_bits(u32::from(negative) << 31 | exponent << 23 | fraction)
        });
    prop_oneof![
        any_size,
        -2.0f32..2.0,
        -1e-6f32..1e-6,
        -65_519.99f32..65_519.99,
        Just(-0.0)
    ]
}

/// The parameters that a volunteer with half precision decodes.
fn through_half(version: u64, x: &[f32]) -> Vec<f32> {
    let frame =
        server_frame(|frame| _ = frame.half_snapshot(&EncodedSnapshot::new(version, Arc::from(x))));
    let records = read_all(&frame).unwrap();
    let [ServerRecord::Snapshot(snapshot)] = records[..] else {
        panic!("{records:?}")
    };
    let mut unpacked = vec![7.0];
    snapshot.unpack(&mut unpacked).unwrap();
    assert_eq!(
        (snapshot.version, snapshot.parameters(), unpacked.len()),
        (version, x.len(), x.len())
    );
    unpacked
}

fn goodbyes() -> impl Strategy<Value = Goodbye> {
    (select(GoodbyeReason::ALL), prop::option::of(0..u32::MAX)).prop_map(
        |(reason, retry_after_ms)| Goodbye {
            reason,
            retry_after_ms,
        },
    )
}

/// A frame with one record of every kind from the server.
fn every_record() -> impl Strategy<Value = Vec<u8>> {
    let snapshot = prop::collection::vec(-1e3f32..1e3, 0..20);
    (
        settings(),
        tasks(),
        snapshot,
        select(RejectReason::ALL),
        goodbyes(),
        any::<[u64; 2]>(),
    )
        .prop_map(|(settings, task, x, reason, goodbye, [a, b])| {
            server_frame(|frame| {
                frame.welcome(VolunteerId(a), &settings).task(&task);
                let snapshot = EncodedSnapshot::new(b, Arc::from(x));
                frame.snapshot(&snapshot).half_snapshot(&snapshot);
                frame
                    .accepted(TaskId(a), b)
                    .rejected(TaskId(b), reason)
                    .goodbye(goodbye);
            })
        })
}

fn client_frames() -> impl Strategy<Value = Vec<u8>> {
    let hello = "\\PC{1,40}".prop_map(|agent| {
        let mut out = Vec::new();
        ClientFrame::hello(
            &Hello {
                agent: &agent,
                ..Hello::default()
            },
            &mut out,
        );
        out
    });
    let update = any::<(u64, u64)>().prop_flat_map(|(task, seed)| {
        (0usize..300).prop_map(move |count| {
            let mut out = Vec::new();
            ClientFrame::update(TaskId(task), &signs(count, seed), &mut out);
            out
        })
    });
    prop_oneof![hello, update]
}

/// Decodes everything in `bytes`.
fn decode(bytes: &[u8]) {
    _ = read_client_frame(bytes);
    let Ok(records) = read_server_frame(bytes) else {
        return;
    };
    for record in records {
        match record {
            Ok(ServerRecord::Snapshot(snapshot)) => _ = snapshot.unpack(&mut Vec::new()),
            Ok(ServerRecord::Delta(delta)) => {
                _ = delta.for_each_step(9, &mut Step::default(), |_| ());
            }
            _ => {}
        }
    }
}

/// Changes of single bytes.
fn corruption() -> impl Strategy<Value = Vec<(Index, u8)>> {
    let byte = prop_oneof![any::<u8>(), select(vec![0, 1, 0x7f, 0x80, 0xff])];
    prop::collection::vec((any::<Index>(), byte), 0..6)
}

proptest! {
    #[test]
    fn hello_round_trip(
        agent in "\\PC{1,80}",
        (deltas, half_snapshots) in any::<(bool, bool)>(),
        secret in any::<Option<[u8; 16]>>(),
        token in prop::option::of("\\PC{1,16}"),
    ) {
        let mut out = Vec::new();
        let capabilities = Capabilities { deltas, half_snapshots };
        let secret = secret.map(Secret);
        let token = token.as_deref();
        ClientFrame::hello(&Hello { agent: &agent, capabilities, secret, token }, &mut out);
        let Ok(ClientRecord::Hello(hello)) = read_client_frame(&out) else { panic!("{out:?}") };
        prop_assert_eq!((hello.capabilities, hello.secret, hello.token), (capabilities, secret, token));
        let read = hello.agent;
        prop_assert!(agent.starts_with(read));
        prop_assert!(agent == read || (61..=64).contains(&read.len()), "truncated to {} bytes", read.len());
    }

    #[test]
    fn update_round_trip_costs_14_bytes(task: u64, count in 0usize..5000, seed: u64) {
        let signs = signs(count, seed);
        let mut out = Vec::new();
        ClientFrame::update(TaskId(task), &signs, &mut out);
        prop_assert_eq!(out.len(), 14 + count.div_ceil(8));
        let Ok(ClientRecord::Update { task: read, bits }) = read_client_frame(&out) else { panic!() };
        prop_assert_eq!(read, TaskId(task));
        prop_assert_eq!(SignBits::from_bytes(bits, count), Ok(signs));
    }

    #[test]
    fn client_frame_limit_is_tight(agent in "\\PC{1,80}", count in 1usize..5000) {
        let mut hello = Vec::new();
        let mut update = Vec::new();
        let mut longest = Vec::new();
        ClientFrame::hello(&Hello { agent: &agent, ..Hello::default() }, &mut hello);
        ClientFrame::update(TaskId(1), &signs(count, 1), &mut update);
        let long = "x".repeat(64);
        let secret = Some(Secret([7; 16]));
        let full = Hello { agent: &long, capabilities: Capabilities::default(), secret, token: Some(&long) };
        ClientFrame::hello(&full, &mut longest);
        let limit = max_client_frame_bytes(count);
        prop_assert!(hello.len() <= limit && update.len() <= limit);
        prop_assert_eq!(limit, update.len().max(longest.len()));
    }

    #[test]
    fn welcome_round_trip(settings in settings(), id: u64) {
        let frame = server_frame(|frame| _ = frame.welcome(VolunteerId(id), &settings));
        let records = read_all(&frame).unwrap();
        let [ServerRecord::Welcome(welcome)] = &records[..] else { panic!("{records:?}") };
        prop_assert_eq!((welcome.volunteer, &welcome.settings), (VolunteerId(id), &settings));
    }

    #[test]
    fn snapshot_round_trip(x in prop::collection::vec(-f32::MAX..=f32::MAX, 0..300), version: u64) {
        let frame = server_frame(|frame| _ = frame.snapshot(&EncodedSnapshot::new(version, Arc::from(&x[..]))));
        let records = read_all(&frame).unwrap();
        let [ServerRecord::Snapshot(snapshot)] = records[..] else { panic!("{records:?}") };
        let mut unpacked = vec![7.0];
        snapshot.unpack(&mut unpacked).unwrap();
        prop_assert_eq!((snapshot.version, snapshot.parameters(), unpacked), (version, x.len(), x));
    }

    #[test]
    fn half_snapshot_rounds_to_nearest(x in prop::collection::vec(halves(), 0..300), version: u64) {
        let unpacked = through_half(version, &x);
        for (v, half) in x.iter().zip(&unpacked) {
            let v = f64::from(*v);
            let half = f64::from(*half);
            // Between two powers of two there are 1,024 evenly spaced halves; the smallest one is the smallest spacing.
            let mut spacing = MIN_HALF;
            while 2048.0 * spacing <= v.abs() {
                spacing *= 2.0;
            }
            prop_assert!((v - half).abs() <= spacing / 2.0, "{} became {}, spacing {}", v, half, spacing);
            prop_assert_eq!(v.is_sign_negative(), half.is_sign_negative());
        }
        prop_assert_eq!(&through_half(version, &unpacked), &unpacked, "rounding is idempotent");
    }

    #[test]
    fn half_overflow_falls_back_to_f32(
        mut x in prop::collection::vec(halves(), 1..50), at: Index, large in 65_520.0f32..=f32::MAX, negative: bool,
    ) {
        *at.get_mut(&mut x) = if negative { -large } else { large };
        prop_assert_eq!(&through_half(3, &x), &x);
    }

    #[test]
    fn small_records_round_trip_in_order(
        task in tasks(), ids: [u64; 2], reason in select(RejectReason::ALL), goodbye in goodbyes(),
    ) {
        let [id, accepted] = ids;
        let frame = server_frame(|frame| {
            frame.accepted(TaskId(id), accepted).rejected(TaskId(id), reason).task(&task).goodbye(goodbye);
        });
        prop_assert_eq!(read_all(&frame).unwrap(), [
            ServerRecord::Accepted { task: TaskId(id), accepted },
            ServerRecord::Rejected { task: TaskId(id), reason },
            ServerRecord::Task(task),
            ServerRecord::Goodbye(goodbye),
        ]);
    }

    #[test]
    fn unknown_server_kinds_are_skipped(
        kind in prop_oneof![0u8..=0x80, 0x88u8..], body: Vec<u8>, task in tasks(),
    ) {
        let mut unknown = frame(kind, &body);
        unknown.extend(&server_frame(|frame| _ = frame.task(&task))[1..]);
        prop_assert_eq!(read_all(&unknown).unwrap(), [ServerRecord::Task(task)]);
    }

    #[test]
    fn steps_round_trip(
        seeds: Vec<u64>, scale in -1.0f32..1.0, count in 1usize..100, base: u64, version: u64, keep: Index,
    ) {
        let mut encoded = EncodedSteps::default();
        let mut steps = Vec::new();
        for direction_seed in seeds {
            let mut step = Step { direction_seed, scale, ..Step::default() };
            step.signs.copy_from(&vec![0.0; count], direction_seed);
            encoded.push(&step);
            steps.push(step);
        }
        let frame = server_frame(|frame| _ = frame.delta(base, version, [&encoded]));
        let records = read_all(&frame).unwrap();
        let [ServerRecord::Delta(delta)] = records[..] else { panic!("{records:?}") };
        let mut found = Vec::new();
        let read = delta.for_each_step(count, &mut Step::default(), |step| found.push(step.clone()));
        prop_assert_eq!((delta.base, delta.version, read, &found), (base, version, Ok(()), &steps));

        // A truncated body: complete steps are read, a part of one is an error.
        let cut = keep.index(encoded.bytes() + 1);
        let body = &frame[6..frame.len() - encoded.bytes() + cut];
        let truncated = super::frame(0x87, body);
        let [ServerRecord::Delta(delta)] = read_all(&truncated).unwrap()[..] else { panic!() };
        let whole = cut.is_multiple_of(12 + count.div_ceil(8));
        prop_assert_eq!(delta.for_each_step(count, &mut Step::default(), |_| ()).is_ok(), whole);
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(mut bytes: Vec<u8>, kind in select(vec![1, 2, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87])) {
        decode(&bytes);
        decode(&frame(kind, &bytes));
        bytes.insert(0, VERSION);
        decode(&bytes);
    }

    #[test]
    fn corrupt_frames_do_not_panic(
        good in prop_oneof![every_record(), client_frames()], corruption in corruption(), keep: Index,
    ) {
        let mut bad = good.clone();
        corruption.iter().for_each(|(at, byte)| *at.get_mut(&mut bad) = *byte);
        decode(&bad);
        decode(&bad[..keep.index(bad.len() + 1)]);
    }

    #[test]
    fn truncated_frame_loses_records(good in every_record(), keep: Index) {
        let cut = &good[..keep.index(good.len())];
        prop_assert!(read_all(cut).map_or(0, |records| records.len()) < 7);
    }

    #[test]
    fn changed_client_frame_decodes_differently(good in client_frames(), keep: Index, corruption in corruption()) {
        let read = read_client_frame(&good);
        prop_assert!(read.is_ok());
        prop_assert_ne!(&read_client_frame(&good[..keep.index(good.len())]), &read);
        let mut bad = good.clone();
        corruption.iter().for_each(|(at, byte)| *at.get_mut(&mut bad) = *byte);
        prop_assert_eq!(read_client_frame(&bad) == read, bad == good, "two frames have the same meaning");
    }

    #[test]
    fn client_frame_has_one_record(first in client_frames(), second in client_frames()) {
        let both = [&first[..], &second[1..]].concat();
        let trailing = WireError::Trailing { offset: first.len(), found: second.len() - 1 };
        prop_assert_eq!(read_client_frame(&both), Err(trailing));
    }
}
