//! The examples and check values of the documents match this crate.

use std::sync::Arc;

use farsign::dataset::{Dataset, DatasetParts, ShardedDataset, hexadecimal};
use farsign::direction::{DirectionFamily, DirectionSpec, Directions};
use farsign::estimate::Order;
use farsign::fixed_point::FixedPoint;
use farsign::kernels::reference::Reference;
use farsign::minibatch::{self, Minibatch};
use farsign::model::Architecture;
use farsign::random::{Stream, permutation_prefix};
use farsign::sign::SignBits;
use farsign::task::{
    Goodbye, GoodbyeReason, RejectReason, RunSettings, Secret, Task, TaskId, VolunteerId,
};
use farsign::version::{Grid, Version};
use farsign::volunteer::{Event, Volunteer};
use farsign::wire::{ClientFrame, EncodedVersion, Hello, max_client_frame_bytes};

use crate::examples;
use crate::wire::{example_versions, server_frame};

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Seed of the task's minibatch.
const MINIBATCH_SEED: u64 = 0x1111_1111_1111_1111;

/// Seed of the task's directions.
const DIRECTION_SEED: u64 = 0x2222_2222_2222_2222;

/// Seed of the task's coins.
const COIN_SEED: u64 = 0x3333_3333_3333_3333;

fn task() -> Task {
    Task {
        id: TaskId(7),
        version: version().hash(),
        minibatch_seed: MINIBATCH_SEED,
        direction_seed: DIRECTION_SEED,
        coin_seed: COIN_SEED,
        images: 4,
        shards: 1,
        reset_momentum: true,
    }
}

/// The parameters of version 3.
const X: [f32; 9] = [0.5, -0.5, 0.25, 0.0, 1.0, -1.0, 2.0, -2.0, 0.125];

fn version() -> Version {
    let fixed_point = FixedPoint::new(10).unwrap();
    let x = fixed_point.quantize(&X).unwrap();
    let grid = Grid {
        fixed_point,
        shift: 3,
    };
    Version::round(3, 0, &x, grid)
}

fn train() -> Dataset {
    let images = vec![0, 255, 255, 0, 255, 255, 51, 102];
    Dataset::from_parts(DatasetParts {
        rows: 1,
        cols: 2,
        images,
        labels: vec![0, 1, 2, 0],
    })
    .unwrap()
}

/// The training set as one shard.
fn train_shards() -> ShardedDataset {
    ShardedDataset::from(Arc::new(train()))
}

fn settings(order: Order, family: DirectionFamily, count: usize) -> RunSettings {
    RunSettings {
        run_id: 0x0123_4567_89ab_cdef,
        architecture: Architecture::new(vec![2, 3]).unwrap(),
        order,
        directions: DirectionSpec::new(family, count, 9).unwrap(),
        batch: 4,
        beta: 0.3,
        task_timeout_ms: 60_000,
        train_digest: train_shards().digest(),
    }
}

/// Asserts that the document contains `text`.
#[track_caller]
fn assert_documented(text: &str) {
    assert!(
        examples::texts()
            .iter()
            .any(|document| document.contains(text)),
        "the documents do not contain {text:?}"
    );
}

fn joined(values: impl IntoIterator<Item = impl ToString>) -> String {
    values
        .into_iter()
        .map(|value| value.to_string())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Returns the events of a volunteer that receives the document's welcome, version and task, and the frame of its
/// update.
fn update(settings: &RunSettings) -> (Vec<Event>, Vec<u8>) {
    let mut volunteer = Volunteer::new(train_shards());
    let mut events = Vec::new();
    let mut update = Vec::new();
    let whole = EncodedVersion::new(&version(), None);
    let frame = server_frame(|frame| {
        _ = frame
            .welcome(VolunteerId(42), settings)
            .version(&whole)
            .task(&task());
    });
    volunteer.receive(&frame, &mut events).unwrap();
    volunteer.write_update(&task(), &mut update).unwrap();
    (events, update)
}

#[test]
fn documented_session_frames() {
    let settings = settings(Order::First, DirectionFamily::Coordinate, 9);
    let (events, update) = update(&settings);
    assert_eq!(events, [Event::Joined, Event::Task(task())]);
    let mut hello = Vec::new();
    let agent = "example/1.0";
    ClientFrame::hello(
        &Hello {
            agent,
            ..Hello::default()
        },
        &mut hello,
    );
    let mut long_hello = Vec::new();
    let secret = Some(Secret(std::array::from_fn(|i| i as u8)));
    ClientFrame::hello(
        &Hello {
            agent,
            shards: 7,
            secret,
            token: Some("sesame"),
        },
        &mut long_hello,
    );
    let mut request = Vec::new();
    ClientFrame::version_request(TaskId(7), &mut request);
    let [base, newer] = example_versions();
    assert_eq!(base, version());
    let mut rest = Vec::new();
    ClientFrame::rest(600, &mut rest);
    let mut shards = Vec::new();
    ClientFrame::shards(2, &mut shards);
    let mut line_rate = Vec::new();
    ClientFrame::line_rate(28_000, &mut line_rate);
    let goodbye = |reason, retry_after_ms| {
        server_frame(|frame| {
            _ = frame.goodbye(Goodbye {
                reason,
                retry_after_ms,
            });
        })
    };
    let expected = [
        hello,
        long_hello,
        update,
        request,
        rest,
        shards,
        line_rate,
        server_frame(|frame| _ = frame.welcome(VolunteerId(42), &settings)),
        server_frame(|frame| _ = frame.task(&task())),
        server_frame(|frame| _ = frame.version(&EncodedVersion::new(&base, None))),
        server_frame(|frame| _ = frame.version(&EncodedVersion::new(&newer, Some(&base)))),
        server_frame(|frame| _ = frame.accepted(TaskId(7), 1234)),
        server_frame(|frame| _ = frame.rejected(TaskId(7), RejectReason::NotYourTask)),
        goodbye(GoodbyeReason::ServerFull, Some(5_000)),
        goodbye(GoodbyeReason::RunFinished, None),
        train().to_idx_images(),
        train().to_idx_labels(),
    ];
    examples::check(&expected);
}

#[test]
fn reasons_and_limits() {
    for reason in RejectReason::ALL {
        assert_documented(&format!("{} `{}`", reason.code(), reason.name()));
    }
    for reason in GoodbyeReason::ALL {
        assert_documented(&format!("{} `{}`", reason.code(), reason.name()));
    }
    for directions in [1, 1112, 1113, 101_770] {
        assert_eq!(
            max_client_frame_bytes(directions),
            155.max(14 + directions.div_ceil(8))
        );
    }
    assert_documented("`max(155, 14 + ceil(K / 8))` bytes");
    assert_documented("65,536 images");
    assert_eq!(
        (Architecture::MAX_WIDTHS, Architecture::MAX_WIDTH),
        (16, 1_048_576)
    );
    assert_documented("2 to 16 of them, each 1 to 1,048,576");
    assert_eq!(
        (Architecture::MAX_PARAMETERS, DirectionSpec::MAX_DENSE),
        (16_777_216, 134_217_728)
    );
    assert_documented("16,777,216");
    assert_documented("134,217,728");
}

#[test]
fn version_hashes() {
    for version in example_versions() {
        assert_documented(&format!("`{}`", version.hash()));
        assert_documented(&format!("`{}`", joined(version.k())));
    }
}

#[test]
fn random_numbers() {
    for (seed, name) in [(0, "0"), (42, "42"), (u64::MAX, "`0xffffffffffffffff`")] {
        let mut stream = Stream::new(seed);
        let first = stream.bits();
        let second = stream.bits();
        assert_documented(&format!("| {name} | `{first:016x}` | `{second:016x}` |"));
    }
    let batch = joined(minibatch::indices(42, 8500, 8));
    assert_documented(&format!(
        "A minibatch of 8 out of 8,500 images, seed 42: `{batch}`"
    ));
    let mut prefix = Vec::new();
    permutation_prefix(&mut Stream::new(42), 11, 4, &mut prefix);
    assert_documented(&format!(
        "`permutation_prefix(42, 11, 4)` is `{}`",
        joined(&prefix)
    ));
    let mut coins = SignBits::default();
    coins.copy_from(&[0.0; 9], COIN_SEED);
    let coins = joined(coins.iter().map(|sign| u8::from(sign > 0.0)));
    assert_documented(&format!(
        "The coins of seed `0x3333333333333333` begin with `{coins}`"
    ));
}

/// Returns the signs of the entries of `a_k`, and asserts its length and scale.
fn row(directions: &Directions, k: usize) -> Vec<&'static str> {
    let d = directions.spec().parameters();
    let row: Vec<f32> = (0..d).map(|i| directions.entry(k, i)).collect();
    let nonzeros = row.iter().filter(|a| **a != 0.0).count();
    assert!(
        row.iter()
            .all(|a| *a == 0.0 || (a * a * nonzeros as f32 - 1.0).abs() < 1e-6)
    );
    let text = |a: &f32| match a {
        a if *a > 0.0 => "+",
        a if *a < 0.0 => "-",
        _ => "0",
    };
    row.iter().map(text).collect()
}

#[test]
fn directions() {
    let draw = |family, count| Directions::new(DirectionSpec::new(family, count, 11).unwrap(), 42);
    let coordinate = draw(DirectionFamily::Coordinate, 4);
    let chosen = (0..4).map(|k| row(&coordinate, k).iter().position(|a| *a == "+").unwrap());
    assert_documented(&format!(
        "| coordinate, K = 4 | coordinates `{}` |",
        joined(chosen)
    ));

    let hadamard = draw(DirectionFamily::Hadamard { block: 4 }, 4);
    for (k, (scale, number)) in [("sqrt(2)", 8), ("2", 2), ("2", 4), ("2", 5)]
        .into_iter()
        .enumerate()
    {
        let row = joined(row(&hadamard, k));
        assert_documented(&format!("a_{k}, scale 1/{scale} | row {number}: `{row}` |"));
    }
    // The first row of each block is D, as are blocks of one coordinate.
    let whole = draw(DirectionFamily::Hadamard { block: 4 }, 11);
    let diagonal = [0, 4, 8, 10].map(|k| {
        row(&whole, k)
            .into_iter()
            .filter(|a| *a != "0")
            .collect::<Vec<_>>()
    });
    assert_documented(&format!(
        "| hadamard, block 4 | `D` = `{}` |",
        joined(diagonal.concat())
    ));

    let rademacher = draw(DirectionFamily::Rademacher, 3);
    for k in 0..3 {
        let row = joined(row(&rademacher, k));
        let scale = if k == 0 {
            "rademacher, scale 1/sqrt(11): "
        } else {
            ""
        };
        assert_documented(&format!("| {scale}a_{k} | `{row}` |"));
    }
    let sparse = draw(DirectionFamily::Sparse { nonzeros: 2 }, 3);
    for (k, coordinates) in [[8, 2], [4, 5], [1, 10]].into_iter().enumerate() {
        let row = row(&sparse, k);
        assert_eq!(row.iter().filter(|a| **a != "0").count(), 2);
        let entries = coordinates
            .map(|i| format!("`{}` at {i}", row[i]))
            .join(", ");
        assert_documented(&format!("a_{k} | {entries} |"));
    }
}

#[test]
fn documented_task() {
    let digest = hexadecimal(train().digest());
    assert_documented(&format!("the digest of this shard is `{digest}`"));
    let digest = hexadecimal(train_shards().digest());
    assert_documented(&format!("that of the training data `{digest}`"));
    let drawn = joined(minibatch::indices(MINIBATCH_SEED, 4, 4));
    assert_documented(&format!("the minibatch is images `{drawn}`"));

    let settings = settings(Order::First, DirectionFamily::Coordinate, 9);
    let mut batch = Minibatch::default();
    let mut gradient = [0.0; 9];
    batch.draw(&train(), MINIBATCH_SEED, 4);
    let loss = Reference::new(&settings.architecture).loss_and_gradient(&X, &batch, &mut gradient);
    assert_close("the loss is ", &[loss]);
    assert_close("the gradient is `", &gradient);

    let sparse = zeroth_order_settings();
    let mut prefix = Vec::new();
    permutation_prefix(&mut Stream::new(DIRECTION_SEED), 9, 6, &mut prefix);
    assert_documented(&format!("permutation prefix is `{}`", joined(&prefix)));
    let directions = Directions::new(sparse.directions, DIRECTION_SEED);
    let signs = prefix
        .iter()
        .enumerate()
        .map(|(j, &i)| row(&directions, j / 2)[i as usize]);
    assert_documented(&format!("its signs are `{}`", joined(signs)));
    let mut projected = [0.0; 3];
    Directions::new(sparse.directions, DIRECTION_SEED).project(&gradient, &mut projected);
    assert_close("estimates are close to\n`", &projected);
    let (_, frame) = update(&sparse);
    assert_eq!(frame.len(), 15);
    assert_documented(&format!("the sign bits are one byte, `{:02x}`", frame[14]));
}

fn zeroth_order_settings() -> RunSettings {
    settings(
        Order::Zeroth { delta: 0.001 },
        DirectionFamily::Sparse { nonzeros: 2 },
        3,
    )
}

/// Asserts that the numbers documented after `before` equal `found` to the documented digits.
#[track_caller]
fn assert_close(before: &str, found: &[f32]) {
    let mut texts = examples::texts().into_iter();
    let (_, after) = texts
        .find_map(|document| document.split_once(before))
        .unwrap_or_else(|| panic!("no {before:?}"));
    let words = after
        .split([' ', '`', ';', '\n'])
        .filter(|word| !word.is_empty());
    for (documented, found) in words.zip(found) {
        let decimals = documented
            .split_once('.')
            .map_or(0, |(_, decimals)| decimals.len());
        let last_digit: f64 = format!("1e-{decimals}").parse().unwrap();
        let documented: f64 = documented.parse().unwrap();
        let error = (documented - f64::from(*found)).abs();
        assert!(
            error < 2.0 * last_digit,
            "{before}: {documented} documented, {found} found"
        );
    }
}
