//! Properties of every frame, and of every corruption of one.

use farsign::direction::{DirectionFamily, DirectionSpec};
use farsign::estimate::Order;
use farsign::fixed_point::FixedPoint;
use farsign::model::Architecture;
use farsign::sign::SignBits;
use farsign::task::{
    Goodbye, GoodbyeReason, RejectReason, RunSettings, Secret, Task, TaskId, VolunteerId,
};
use farsign::task_sizing::MAX_TASK_IMAGES;
use farsign::version::{Grid, Version, VersionHash};
use farsign::wire::{
    ClientFrame, ClientRecord, EncodedVersion, Hello, ServerRecord, VERSION, WireError,
    max_client_frame_bytes, read_client_frame, read_server_frame,
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
    fn tasks()(id: u64, version: [u8; 32], seeds: [u64; 3], images in 1..=MAX_TASK_IMAGES, shards in 1..=1024u16,
        reset_momentum: bool) -> Task {
        let [minibatch_seed, direction_seed, coin_seed] = seeds;
        let version = VersionHash(version);
        Task { id: TaskId(id), version, minibatch_seed, direction_seed, coin_seed, images, shards, reset_momentum }
    }
}

prop_compose! {
    fn versions()(
        x in prop::collection::vec(-(1i32 << 30)..1 << 30, 1..300), number: u64, bits in 0u8..=30, shift in 0u8..=30,
    ) -> Version {
        let fixed_point = FixedPoint::new(bits).unwrap();
        Version::round(number, 0, &x, Grid { fixed_point, shift })
    }
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
    (
        settings(),
        tasks(),
        versions(),
        select(RejectReason::ALL),
        goodbyes(),
        any::<[u64; 2]>(),
    )
        .prop_map(|(settings, task, version, reason, goodbye, [a, b])| {
            server_frame(|frame| {
                frame.welcome(VolunteerId(a), &settings).task(&task);
                frame.version(&EncodedVersion::new(&version, None));
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
    let request = any::<u64>().prop_map(|task| {
        let mut out = Vec::new();
        ClientFrame::version_request(TaskId(task), &mut out);
        out
    });
    prop_oneof![hello, update, request]
}

/// Decodes everything in `bytes`.
fn decode(bytes: &[u8]) {
    _ = read_client_frame(bytes);
    let Ok(records) = read_server_frame(bytes) else {
        return;
    };
    for record in records {
        if let Ok(ServerRecord::Version(body)) = record {
            _ = Version::from_differences(None, body.number, body.grid, body.differences, 9);
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
        shards: u16,
        secret in any::<Option<[u8; 16]>>(),
        token in prop::option::of("\\PC{1,16}"),
    ) {
        let mut out = Vec::new();
        let secret = secret.map(Secret);
        let token = token.as_deref();
        ClientFrame::hello(&Hello { agent: &agent, shards, secret, token }, &mut out);
        let Ok(ClientRecord::Hello(hello)) = read_client_frame(&out) else { panic!("{out:?}") };
        prop_assert_eq!((hello.shards, hello.secret, hello.token), (shards, secret, token));
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
        let full = Hello { agent: &long, shards: 1, secret, token: Some(&long) };
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
    fn version_round_trip(version in versions(), base in prop::option::of(versions())) {
        let d = version.k().len();
        let base = base.filter(|base| {
            base.k().len() == d && base.grid().fixed_point == version.grid().fixed_point
        });
        let frame = server_frame(|frame| _ = frame.version(&EncodedVersion::new(&version, base.as_ref())));
        let records = read_all(&frame).unwrap();
        let [ServerRecord::Version(body)] = records[..] else { panic!("{records:?}") };
        prop_assert_eq!(body.base, base.as_ref().map(Version::hash));
        let read = Version::from_differences(base.as_ref(), body.number, body.grid, body.differences, d).unwrap();
        prop_assert_eq!((read.number(), read.hash()), (version.number(), version.hash()));
    }

    #[test]
    fn small_records_round_trip_in_order(
        task in tasks(), ids: [u64; 2], reason in select(RejectReason::ALL), goodbye in goodbyes(),
    ) {
        let [id, message] = ids;
        let frame = server_frame(|frame| {
            frame.accepted(TaskId(id), message).rejected(TaskId(id), reason).task(&task).goodbye(goodbye);
        });
        prop_assert_eq!(read_all(&frame).unwrap(), [
            ServerRecord::Accepted { task: TaskId(id), message },
            ServerRecord::Rejected { task: TaskId(id), reason },
            ServerRecord::Task(task),
            ServerRecord::Goodbye(goodbye),
        ]);
    }

    #[test]
    fn unknown_server_kinds_are_skipped(
        kind in prop_oneof![0u8..=0x80, 0x87u8..], body: Vec<u8>, task in tasks(),
    ) {
        let mut unknown = frame(kind, &body);
        unknown.extend(&server_frame(|frame| _ = frame.task(&task))[1..]);
        prop_assert_eq!(read_all(&unknown).unwrap(), [ServerRecord::Task(task)]);
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(mut bytes: Vec<u8>, kind in select(vec![1, 2, 3, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86])) {
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
        prop_assert!(read_all(cut).map_or(0, |records| records.len()) < 6);
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
