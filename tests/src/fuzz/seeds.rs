//! Where the corpus begins: the golden values, and for what has none, a few files of each kind.
//!
//! `FARSIGN_WRITE_GOLDEN=1 cargo test -p farsign-tests --test corpus` writes them; what the fuzzer found stays.

use std::collections::BTreeMap;
use std::io::Write;

use farsign::activity::MemberState;
use farsign::optimizer::FarSignState;
use farsign::sign::SignBits;
use farsign::step::Step;
use farsign::task::{TaskId, VolunteerId};
use farsign_server::store::event::{Accepted, Checkpoint, Credit, Cursor, Event, Head, Identity};
use farsign_server::store::record;
use flate2::Compression;
use flate2::write::GzEncoder;

/// The files a target's corpus begins with, by name.
pub fn of(target: &str) -> BTreeMap<String, Vec<u8>> {
    let golden = |texts: &[&str]| texts.iter().flat_map(|text| golden(text)).collect();
    let named = |files: &[(&str, &[u8])]| {
        files.iter().map(|(name, bytes)| (format!("seed-{name}"), bytes.to_vec())).collect()
    };
    match target {
        "client_frame" => golden(&[include_str!("../../../farsign/testdata/client.txt")]),
        "server_frame" => golden(&[
            include_str!("../../../farsign/testdata/delta.txt"),
            include_str!("../../../farsign/testdata/half.txt"),
            include_str!("../../../farsign/testdata/server.txt"),
            include_str!("../../../farsign/testdata/snapshot.txt"),
            include_str!("../../../farsign/testdata/welcome.txt"),
        ]),
        "idx" => idx(),
        "saved_record" => saved_records(),
        "settings" => named(&SETTINGS),
        "admission" => named(&ADMISSION),
        unknown => panic!("there is no target {unknown}"),
    }
}

const SETTINGS: [(&str, &[u8]); 6] = [
    ("nothing", b"# nothing\n"),
    ("vote", b"rule = \"vote\"\nvote-gamma = 0.04\nminibatch-window = 25\nschedule = \"constant\"\n"),
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
          task-expiry-ms = 60000\ncheckpoint-every = 7\n",
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

/// Values of a golden file that are frames, by name.
fn golden(text: &str) -> Vec<(String, Vec<u8>)> {
    let mut values: Vec<(String, Vec<u8>)> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(words) = line.strip_prefix("  ") {
            let bytes = words.split_whitespace().filter_map(|word| u8::from_str_radix(word, 16).ok());
            let (_, value) = values.last_mut().expect("a name stands before its value");
            value.extend(bytes);
        } else if let Some(name) = line.strip_suffix(':') {
            values.push((file_name(name), Vec::new()));
        }
    }
    values.retain(|(_, value)| value.starts_with(&[1])); // others are what a frame holds
    values
}

fn file_name(name: &str) -> String {
    let plain = name.to_ascii_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    format!("golden-{}", plain.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-"))
}

/// The four images of docs/protocol.md, section 10, plain and gzipped.
fn idx() -> BTreeMap<String, Vec<u8>> {
    let images = [0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 2, 0, 255, 255, 0, 255, 255, 0x33, 0x66];
    let labels = [0, 0, 8, 1, 0, 0, 0, 4, 0, 1, 2, 0];
    let input =
        |images: &[u8], labels: &[u8]| [&(images.len() as u16).to_le_bytes()[..], images, labels].concat();
    let (packed_images, packed_labels) = (gzip(&images), gzip(&labels));
    let files = [
        ("plain", input(&images, &labels)),
        ("gzipped", input(&packed_images, &packed_labels)),
        ("mixed", input(&images, &packed_labels)),
        ("two-members", input(&[gzip(&images[..20]), gzip(&images[20..])].concat(), &labels)),
        ("cut-short", input(&packed_images[..packed_images.len() - 3], &labels)),
    ];
    files.into_iter().map(|(name, bytes)| (format!("seed-{name}"), bytes)).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

fn saved_records() -> BTreeMap<String, Vec<u8>> {
    let signs = SignBits::from_bytes(&[0b1010_0101, 1], 9).expect("nine signs");
    let volunteer = VolunteerId(2);
    let accepted =
        Accepted { volunteer, task: TaskId(3), direction_seed: 5, trust: 0.5, signs: signs.clone() };
    let undone = Event::Undone { volunteer, step: Step { direction_seed: 7, scale: -1.0, signs } };
    let identity = Identity { seed: 1, run_id: 2, train_digest: [7; 32], settings: "batch = 1\n".into() };
    let member = |volunteer, last, sent| MemberState { volunteer: VolunteerId(volunteer), last, sent };
    let checkpoint = Checkpoint {
        head: Head { sequence: 5, bytes: 300 },
        cursor: Cursor { joined: 2, issued: 9, version: 4, window: Some((3, 11)), ..Cursor::default() },
        state: FarSignState {
            x: vec![1.0, -2.0],
            votes: Vec::new(),
            accepted: 4,
            weight: 1.5,
            members: vec![member(1, 3, true), member(2, 4, false)],
        },
    };
    let mut rescue = record::write_rescue(&identity, &checkpoint);
    rescue.truncate(rescue.len() - 32); // the target puts the checksum behind it
    let files = [
        ("join", 0, record::write_event(&Event::Join(volunteer))),
        ("leave", 0, record::write_event(&Event::Leave(volunteer))),
        ("accepted", 0, record::write_event(&Event::Accepted(accepted))),
        ("undone", 0, record::write_event(&undone)),
        ("identity", 1, record::write_identity(&identity)),
        ("position", 2, record::write_position(checkpoint.head, &checkpoint.cursor)),
        ("checkpoint", 3, record::write_checkpoint(&checkpoint)),
        ("rescue", 4, rescue),
        ("credit", 5, record::write_credit(checkpoint.head, Credit { accepted: 258, ..Credit::default() })),
    ];
    files
        .into_iter()
        .map(|(name, kind, bytes)| (format!("seed-{name}"), [vec![kind], bytes].concat()))
        .collect()
}
