//! Runs the fuzz targets on each input of the corpus and on mutations of it.
//!
//! `FARSIGN_MUTATIONS` sets the number of mutations per file and `FARSIGN_SEED` their seed. A failing input is printed in
//! hexadecimal; saved in the corpus of its target, it becomes a regression test.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use farsign::random::Stream;
use farsign_tests::fuzz::{TARGETS, Target, mutation, seeds};

/// Default number of mutations per file.
const DEFAULT_MUTATIONS: u64 = 3000;

/// Maximum size of all corpora together, because every clone and every test run reads them.
const MAX_CORPUS_BYTES: usize = 1 << 20;

fn folder(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target.name)
}

/// Returns names and contents of a corpus, sorted by name.
fn files(target: &Target) -> Vec<(String, Vec<u8>)> {
    let folder = folder(target);
    let entries =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    let name = |path: &Path| {
        path.file_name()
            .expect("a file name")
            .to_string_lossy()
            .into_owned()
    };
    paths
        .iter()
        .map(|path| (name(path), fs::read(path).expect("a readable file")))
        .collect()
}

fn number(variable: &str, default: u64) -> u64 {
    env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

/// One input, printed if its target panics.
struct Case<'a> {
    target: Target,
    origin: String,
    bytes: &'a [u8],
}

impl Case<'_> {
    /// Returns whether the input is valid.
    fn check(self) -> bool {
        (self.target.check)(self.bytes)
    }
}

impl Drop for Case<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let hex: Vec<String> = self
                .bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            eprintln!(
                "{} fails for {}: {}",
                self.target.name,
                self.origin,
                hex.concat()
            );
        }
    }
}

#[test]
fn committed_inputs_satisfy_properties() {
    let mut total_bytes = 0;
    for target in TARGETS {
        for (name, bytes) in files(&target) {
            total_bytes += bytes.len();
            Case {
                target,
                origin: name,
                bytes: &bytes,
            }
            .check();
        }
    }
    assert!(
        total_bytes <= MAX_CORPUS_BYTES,
        "the corpora have {total_bytes} bytes"
    );
}

#[test]
fn mutated_inputs_satisfy_properties() {
    let seed = number("FARSIGN_SEED", 1);
    let count = number("FARSIGN_MUTATIONS", DEFAULT_MUTATIONS);
    for target in TARGETS {
        let files = files(&target);
        let mut stream = Stream::new(seed);
        for (name, bytes) in &files {
            for index in 0..count {
                let (_, other) = &files[stream.below(files.len() as u64) as usize];
                let mutated = mutation::mutate(bytes, other, &mut stream);
                let origin = format!("mutation {index} of {name}, FARSIGN_SEED={seed}");
                Case {
                    target,
                    origin,
                    bytes: &mutated,
                }
                .check();
            }
        }
    }
}

/// Initial inputs are valid, so that the round trips of the targets are tested.
#[test]
fn corpus_contains_valid_golden_values() {
    let writing = env::var_os("FARSIGN_WRITE_GOLDEN").is_some();
    for target in TARGETS {
        let seeds = seeds::for_target(target.name);
        assert!(
            seeds.len() >= 4,
            "{} has {} initial inputs",
            target.name,
            seeds.len()
        );
        for (name, bytes) in seeds {
            let path = folder(&target).join(&name);
            if writing {
                fs::create_dir_all(folder(&target)).expect("the corpus can be written to");
                fs::write(&path, &bytes).expect("the corpus can be written to");
            }
            let committed =
                fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(committed, bytes, "{} / {name}", target.name);
            let is_valid = name != "seed-cut-short";
            assert_eq!(
                Case {
                    target,
                    origin: name.clone(),
                    bytes: &bytes
                }
                .check(),
                is_valid,
                "{name}"
            );
        }
    }
}
