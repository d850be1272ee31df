//! Every input of the fuzzer's corpus, and mutations of each, go through the same checks as under the fuzzer.
//!
//! `FARSIGN_MUTATIONS=100000` draws so many of each file, `FARSIGN_SEED=7` others than usual. An input that fails is
//! printed; saved as a file of its target's corpus it is a test from then on.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use farsign::random::Stream;
use farsign_tests::fuzz::{TARGETS, Target, mutation, seeds};

/// Mutations of each file, unless `FARSIGN_MUTATIONS` says otherwise.
const MUTATIONS: u64 = 3000;

/// Together the corpora are at most so many bytes: they are read by every test run and cloned by everybody.
const MOST_BYTES: usize = 1 << 20;

fn folder(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target.name)
}

/// Names and contents, in order of the names.
fn files(target: &Target) -> Vec<(String, Vec<u8>)> {
    let folder = folder(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let name = |path: &Path| path.file_name().expect("a file has a name").to_string_lossy().into_owned();
    paths.iter().map(|path| (name(path), fs::read(path).expect("the corpus can be read"))).collect()
}

fn number(variable: &str, usual: u64) -> u64 {
    env::var(variable).map_or(usual, |text| text.parse().expect("it is a number"))
}

/// Says what the input was if a check panics.
struct Case<'a> {
    target: Target,
    origin: String,
    bytes: &'a [u8],
}

impl Case<'_> {
    /// Whether it could be read.
    fn check(self) -> bool {
        (self.target.check)(self.bytes)
    }
}

impl Drop for Case<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let hex: Vec<String> = self.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            eprintln!("{} fails for {}: {}", self.target.name, self.origin, hex.concat());
        }
    }
}

#[test]
fn every_committed_input_is_taken_well() {
    let mut together = 0;
    for target in TARGETS {
        for (name, bytes) in files(&target) {
            together += bytes.len();
            Case { target, origin: name, bytes: &bytes }.check();
        }
    }
    assert!(together <= MOST_BYTES, "the corpora have {together} bytes");
}

#[test]
fn mutations_of_every_committed_input_are_taken_well() {
    let (seed, count) = (number("FARSIGN_SEED", 1), number("FARSIGN_MUTATIONS", MUTATIONS));
    for target in TARGETS {
        let files = files(&target);
        let mut stream = Stream::new(seed);
        for (name, bytes) in &files {
            for index in 0..count {
                let (_, other) = &files[stream.below(files.len() as u64) as usize];
                let mutated = mutation::mutate(bytes, other, &mut stream);
                let origin = format!("mutation {index} of {name}, FARSIGN_SEED={seed}");
                Case { target, origin, bytes: &mutated }.check();
            }
        }
    }
}

/// And all of these can be read: checks of what is read again would prove nothing if nothing were read.
#[test]
fn the_corpus_holds_every_golden_value_and_each_can_be_read() {
    let writing = env::var_os("FARSIGN_WRITE_GOLDEN").is_some();
    for target in TARGETS {
        let seeds = seeds::of(target.name);
        assert!(seeds.len() >= 4, "{} begins with {}", target.name, seeds.len());
        for (name, bytes) in seeds {
            let path = folder(&target).join(&name);
            if writing {
                fs::create_dir_all(folder(&target)).expect("the corpus can be written to");
                fs::write(&path, &bytes).expect("the corpus can be written to");
            }
            let committed = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(committed, bytes, "{} / {name}", target.name);
            let whole = name != "seed-cut-short";
            assert_eq!(Case { target, origin: name.clone(), bytes: &bytes }.check(), whole, "{name}");
        }
    }
}
