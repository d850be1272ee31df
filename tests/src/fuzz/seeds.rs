//! The initial corpus: the golden values, and a few files of each kind that has none.
//!
//! `FARSIGN_WRITE_GOLDEN=1 cargo test -p farsign-tests --test server corpus` writes them, and keeps the fuzzer's findings.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use farsign::delta_coding;
use farsign::direction::{DirectionFamily, DirectionSpec};
use farsign::keys::{Key, RunKeys};
use farsign::learner::codec::write_record;
use farsign::learner::{GatewayId, Learner, LearnerOptions, Record, Verdict, VerdictOutcome};
use farsign::optimizer::{FarSign, FarSignOptions, Rule};
use farsign::random::Stream;
use farsign::schedule::{Decay, StepSize};
use farsign::sign::SignBits;
use farsign::task::{GoodbyeReason, Task, TaskId, VolunteerId};
use farsign::version::VersionHash;
use farsign::wire::VERSION;
use farsign_server::store::codec;
use farsign_server::store::replay::ReplayOptions;
use farsign_server::store::saved_values::{Checkpoint, LogPosition, RunIdentity};
use flate2::Compression;
use flate2::write::GzEncoder;

/// Returns the initial corpus of a target, by file name.
pub fn for_target(target: &str) -> BTreeMap<String, Vec<u8>> {
    let golden = |texts: &[&str]| texts.iter().flat_map(|text| golden(text)).collect();
    let named = |files: &[(&str, &[u8])]| {
        files
            .iter()
            .map(|(name, bytes)| (format!("seed-{name}"), bytes.to_vec()))
            .collect()
    };
    match target {
        "client_frame" => golden(&[include_str!("../../../farsign/testdata/client.txt")]),
        "server_frame" => golden(&[
            include_str!("../../../farsign/testdata/server.txt"),
            include_str!("../../../farsign/testdata/version.txt"),
            include_str!("../../../farsign/testdata/welcome.txt"),
        ]),
        "delta_coding" => coded_differences(),
        "idx" => idx(),
        "saved_record" => saved_records(),
        "settings" => named(&SETTINGS),
        "admission" => named(&ADMISSION),
        unknown => panic!("unknown target {unknown}"),
    }
}

const SETTINGS: [(&str, &[u8]); 6] = [
    ("nothing", b"# nothing\n"),
    (
        "vote",
        b"rule = \"vote\"\nvote-gamma = 0.04\nminibatch-window = 25\nschedule = \"constant\"\n",
    ),
    (
        "zeroth",
        b"order = \"zeroth\"\ndirections = \"sparse\"\n\
          direction-nonzeros = 2\ndirection-count = 3\ndelta = 0.001\n",
    ),
    (
        "hadamard",
        b"directions = \"hadamard\"\ndirection-block = 8\n\
          model = \"mlp\"\nhidden = 4\nbatch = 2\nbeta = 0.5\n",
    ),
    (
        "limits",
        b"listen = \"[::1]:0\"\nmax-volunteers = 10\njoins-per-minute = 60\n\
          task-timeout-ms = 60000\ncheckpoint-every = 7\n",
    ),
    (
        "admission",
        b"allow-origin = \"https://a.example\"\ntrusted-proxy = \"10.0.0.0/8\"\n\
          join-token = \"sesame\"\nalpha = 1e-3\nseed = 9223372036854775807\n",
    ),
];

const ADMISSION: [(&str, &[u8]); 4] = [
    ("own-page", b"https://a.example\n127.0.0.1\nhttp://h:8080\nh:8080\n\n\n"),
    (
        "named-page",
        b"https://a.example, http://B.example:81/\n192.0.2.0/24\nhttp://b.example:81\nh:443\n198.51.100.1\n",
    ),
    (
        "proxies",
        b"https://a\n192.0.2.1, 10.0.0.0/8, 2001:db8::/32\nnull\nh\n203.0.113.9, 10.0.0.7\n2001:db8::1\n",
    ),
    (
        "bans",
        b"\n\n\n\n\n\n# bans\naddress 203.0.113.7\naddress 2001:db8::/64\n\
          identity 000102030405060708090a0b0c0d0e0f\n",
    ),
];

/// Returns the frames of a golden file, by name.
fn golden(text: &str) -> Vec<(String, Vec<u8>)> {
    let mut values: Vec<(String, Vec<u8>)> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(words) = line.strip_prefix("  ") {
            let bytes = words
                .split_whitespace()
                .filter_map(|word| u8::from_str_radix(word, 16).ok());
            let (_, value) = values.last_mut().expect("a name precedes its value");
            value.extend(bytes);
        } else if let Some(name) = line.strip_suffix(':') {
            values.push((file_name(name), Vec::new()));
        }
    }
    values.retain(|(_, value)| value.starts_with(&[VERSION])); // the other values are records
    values
}

fn file_name(name: &str) -> String {
    let plain = name
        .to_ascii_lowercase()
        .replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    format!(
        "golden-{}",
        plain
            .split('-')
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("-")
    )
}

/// Returns differences with pairs only, with escapes, and with low bits.
fn coded_differences() -> BTreeMap<String, Vec<u8>> {
    let mut stream = Stream::new(5);
    let mut draw = |count: usize, bits: u32, scale: i32| -> Vec<i32> {
        let mut ones = || (stream.bits() & ((1 << bits) - 1)).count_ones() as i32;
        (0..count)
            .map(|_| scale * (2 * ones() - bits as i32) / 2)
            .collect()
    };
    let mut outliers = draw(300, 2, 1);
    outliers[7] = i32::MIN;
    outliers[200] = 20;
    let files = [
        ("none", vec![]),
        ("zeros", vec![0; 600]),
        ("small", draw(80, 4, 1)),
        ("outliers", outliers),
        ("large", draw(70, 32, 1000)),
        ("extremes", vec![i32::MIN, i32::MAX, 0, -1]),
        (
            "ranges",
            [draw(260, 2, 1), vec![0; 256], draw(100, 32, 2)].concat(),
        ),
    ];
    let input = |differences: Vec<i32>| {
        let mut bytes = (differences.len() as u16).to_le_bytes().to_vec();
        delta_coding::encode(&differences, &mut bytes);
        bytes
    };
    files
        .into_iter()
        .map(|(name, differences)| (format!("seed-{name}"), input(differences)))
        .collect()
}

/// Returns the four images of docs/check-values.md, plain and gzipped, and in other types of integers.
fn idx() -> BTreeMap<String, Vec<u8>> {
    let images = [
        0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 2, 0, 255, 255, 0, 255, 255, 0x33, 0x66,
    ];
    let labels = [0, 0, 8, 1, 0, 0, 0, 4, 0, 1, 2, 0];
    let input = |images: &[u8], labels: &[u8]| {
        [&(images.len() as u16).to_le_bytes()[..], images, labels].concat()
    };
    let wide = |bytes: &[u8], columns: usize| -> Vec<u8> {
        let item = |&byte: &u8| [vec![0, 0, 0, byte], vec![0; 4 * (columns - 1)]].concat();
        bytes.iter().flat_map(item).collect()
    };
    let wide_images = [&[0, 0, 0x0c, 3], &images[4..16], &wide(&images[16..], 1)].concat();
    let qmnist_header = [0, 0, 0x0c, 2, 0, 0, 0, 4, 0, 0, 0, 8];
    let qmnist_labels = [&qmnist_header, &wide(&labels[8..], 8)[..]].concat();
    let packed_images = gzip(&images);
    let packed_labels = gzip(&labels);
    let files = [
        ("plain", input(&images, &labels)),
        ("gzipped", input(&packed_images, &packed_labels)),
        ("mixed", input(&images, &packed_labels)),
        (
            "two-gzip-streams",
            input(
                &[gzip(&images[..20]), gzip(&images[20..])].concat(),
                &labels,
            ),
        ),
        (
            "zeros-after-gzip",
            input(&[&packed_images[..], &[0; 8]].concat(), &labels),
        ),
        ("wide-integers", input(&wide_images, &qmnist_labels)),
        (
            "cut-short",
            input(&packed_images[..packed_images.len() - 3], &labels),
        ),
    ];
    files
        .into_iter()
        .map(|(name, bytes)| (format!("seed-{name}"), bytes))
        .collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

fn saved_records() -> BTreeMap<String, Vec<u8>> {
    let signs = SignBits::from_bytes(&[0b1010_0101, 1], 9).expect("nine signs");
    let volunteer = VolunteerId(2);
    let id = TaskId::new(volunteer, 1);
    let update = Record::Update {
        volunteer,
        task: task(id),
        signs: Some(Arc::new(signs)),
    };
    let verdict = Record::Verdict(Verdict {
        volunteer,
        last: id,
        outcome: VerdictOutcome::Failed(id),
    });
    let identity = RunIdentity {
        seed: 1,
        keys: RunKeys {
            tasks: Key::new([5; 32]),
            sampling: Key::new([6; 32]),
        },
        run_id: 2,
        train_digest: [7; 32],
        settings: "batch = 1\n".into(),
    };
    let checkpoint = checkpoint();
    let mut backup = codec::write_backup(&identity, &checkpoint);
    backup.truncate(backup.len() - 32); // the target appends the checksum
    let join = Record::Join {
        identity: Some(258.into()),
        gateway: GatewayId(7),
    };
    let eject = Record::Eject {
        volunteer,
        reason: GoodbyeReason::EjectedByOperator,
    };
    let position = codec::write_position(checkpoint.position);
    let files = [
        ("join", 0, write_record(&join)),
        ("leave", 0, write_record(&Record::Leave(volunteer))),
        (
            "gateway_lost",
            0,
            write_record(&Record::GatewayLost(GatewayId(7))),
        ),
        ("update", 0, write_record(&update)),
        ("eject", 0, write_record(&eject)),
        ("verdict", 0, write_record(&verdict)),
        (
            "probability",
            0,
            write_record(&Record::VerifyProbability(0.5)),
        ),
        ("identity", 1, codec::write_identity(&identity)),
        ("position", 2, position),
        (
            "checkpoint",
            3,
            codec::write_checkpoint(&checkpoint, checkpoint.position),
        ),
        ("backup", 4, backup),
    ];
    files
        .into_iter()
        .map(|(name, kind, bytes)| (format!("seed-{name}"), [vec![kind], bytes].concat()))
        .collect()
}

fn task(id: TaskId) -> Task {
    Task {
        id,
        version: VersionHash([9; 32]),
        minibatch_seed: 10,
        direction_seed: 5,
        coin_seed: 11,
        images: 128,
        shards: 1,
        reset_momentum: true,
    }
}

/// The options of a run with two parameters.
pub(super) fn replay_options() -> ReplayOptions {
    let directions =
        DirectionSpec::new(DirectionFamily::Coordinate, 2, 2).expect("two coordinates");
    let step_size = StepSize {
        initial: 0.1,
        decay: Decay::Constant,
    };
    let optimizer = FarSignOptions::new(&[0.0; 2], directions, step_size, Rule::Plain);
    ReplayOptions {
        optimizer: optimizer.expect("small steps fit"),
        learner: LearnerOptions {
            sampling_key: Key::new([6; 32]),
            verify_probability: Some(1.0),
            horizon: 10,
            fault: None,
        },
    }
}

/// A checkpoint with two volunteers, one of which has an unverified update that is being verified.
fn checkpoint() -> Checkpoint {
    let ReplayOptions { optimizer, learner } = replay_options();
    let mut learner = Learner::new(FarSign::new(optimizer), learner);
    learner.join(Some(258.into()));
    let volunteer = learner.join(None);
    let task = task(TaskId::new(volunteer, 1));
    let signs = SignBits::from_bytes(&[1], 2).expect("two signs");
    let updated = learner.update(volunteer, &task.into(), &Arc::new(signs), 1.0);
    updated.expect("the run has begun");
    learner.drop_outputs();
    let position = LogPosition {
        sequence: learner.position(),
        bytes: 300,
    };
    Checkpoint::of(&learner, position)
}
