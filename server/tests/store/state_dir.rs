//! The state directory with damaged or missing files.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use farsign::learner::LearnerState;
use farsign::optimizer::Rule;
use farsign::random::Stream;
use farsign_server::store::StoreError;
use farsign_server::store::replay::replay;
use farsign_server::store::run_database::RunDatabase;
use farsign_server::store::saved_values::{Checkpoint, LogPosition};
use farsign_server::store::state_dir::{OpenedRun, StateDir};
use farsign_server::store::writer::{Writer, WriterOptions};
use tempfile::TempDir;

use crate::records::{Live, identity, initial, options};

const RULE: Rule = Rule::Plain;

/// A saved run.
struct Run {
    dir: TempDir,
    /// Final state.
    end: LearnerState,
    /// Accepted updates in the last checkpoint.
    checkpoint: u64,
}

impl Run {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let dir = StateDir::lock(temp.path()).unwrap();
        let log = dir.create(&identity(), &initial(RULE)).unwrap();
        let mut live = Live::new(RULE, 3);
        let mut checkpoint = 0;
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let options = WriterOptions {
                database: log,
                dir: Some(dir),
                retention_bytes: u64::MAX,
                counters: Arc::default(),
            };
            let writer = Writer::start(options, Box::new(|_, _| {})).unwrap();
            for batch in 1..=50 {
                let records = live.records(20);
                let positions = writer.append(records).await.unwrap();
                if batch % 15 == 0 {
                    writer.checkpoint(*positions.end(), live.state()).unwrap();
                    checkpoint = live.learner.optimizer().accepted();
                    let refers = live.state().oldest_reference() <= live.learner.position();
                    assert!(refers, "an update is not verified yet");
                }
            }
            writer.close().await;
        });
        Self {
            dir: temp,
            end: live.state(),
            checkpoint,
        }
    }

    fn copy(&self) -> TempDir {
        let to = tempfile::tempdir().unwrap();
        for name in ["run.redb", "rescue"] {
            fs::copy(self.dir.path().join(name), to.path().join(name)).unwrap();
        }
        to
    }
}

fn end_of(log: &RunDatabase) -> LearnerState {
    let newest = log.newest_checkpoint().unwrap();
    replay(log, &options(RULE), newest).unwrap().state()
}

fn cases(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |count| count.parse().expect("a number of cases"))
}

/// Opens damaged files. The result must be the whole run, the last checkpoint with a report, or a clear error.
fn open_damaged(path: &Path, run: &Run, what: &str) {
    match StateDir::lock(path).unwrap().open() {
        Ok(OpenedRun {
            log,
            recovered: None,
        }) => {
            assert_eq!(
                end_of(&log),
                run.end,
                "{what}: a different run without a report"
            );
        }
        Ok(OpenedRun {
            log,
            recovered: Some(recovered),
        }) => {
            assert_eq!(recovered.accepted, run.checkpoint, "{what}");
            assert_eq!(end_of(&log).optimizer().accepted, run.checkpoint, "{what}");
            assert!(
                recovered.archived.as_ref().is_none_or(|file| file.exists()),
                "{what}: {recovered:?}"
            );
            assert!(!recovered.cause.is_empty(), "{what}");
        }
        Err(error) => assert!(error.to_string().contains("damaged"), "{what}: {error}"),
    }
}

/// `FARSIGN_TRUNCATIONS` sets the number of cases.
#[test]
fn truncated_database_is_detected() {
    let run = Run::new();
    let length = fs::metadata(run.dir.path().join("run.redb")).unwrap().len();
    let mut stream = Stream::new(17);
    for case in 0..cases("FARSIGN_TRUNCATIONS", 50) {
        let copy = run.copy();
        let at = if case == 0 { 0 } else { stream.below(length) };
        let file = fs::OpenOptions::new()
            .write(true)
            .open(copy.path().join("run.redb"))
            .unwrap();
        file.set_len(at).unwrap();
        let what = format!("cut to {at} of {length} bytes");
        open_damaged(copy.path(), &run, &what);
        if case % 2 == 0 {
            let backup = copy.path().join("rescue");
            fs::write(
                &backup,
                &fs::read(&backup).unwrap()[..stream.below(100) as usize],
            )
            .unwrap();
            fs::OpenOptions::new()
                .write(true)
                .open(copy.path().join("run.redb"))
                .unwrap()
                .set_len(at)
                .unwrap();
            open_damaged(copy.path(), &run, &format!("{what}, without a backup"));
        }
    }
}

/// `FARSIGN_TRUNCATIONS` sets the number of cases.
#[test]
fn changed_database_is_detected() {
    let run = Run::new();
    let length = fs::metadata(run.dir.path().join("run.redb")).unwrap().len();
    let mut stream = Stream::new(23);
    for _ in 0..cases("FARSIGN_TRUNCATIONS", 50) {
        let copy = run.copy();
        let path = copy.path().join("run.redb");
        let mut bytes = fs::read(&path).unwrap();
        let at = stream.below(length) as usize;
        let count = (1 + stream.below(64) as usize).min(bytes.len() - at);
        bytes[at..at + count]
            .iter_mut()
            .for_each(|byte| *byte ^= 1 + stream.below(255) as u8);
        fs::write(&path, bytes).unwrap();
        open_damaged(
            copy.path(),
            &run,
            &format!("{count} bytes changed at {at} of {length}"),
        );
    }
}

#[test]
fn missing_database_recovers_from_backup() {
    let run = Run::new();
    let copy = run.copy();
    fs::remove_file(copy.path().join("run.redb")).unwrap();
    let OpenedRun { log, recovered } = StateDir::lock(copy.path()).unwrap().open().unwrap();
    assert_eq!(end_of(&log).optimizer().accepted, run.checkpoint);
    assert_eq!(recovered.unwrap().accepted, run.checkpoint);
    assert!(log.position().sequence > 50 * 20, "numbers are used once");
    assert_eq!(
        log.identity().keys,
        identity().keys,
        "tasks keep their seeds"
    );
    drop(log);
    let again = StateDir::lock(copy.path()).unwrap().open().unwrap();
    assert!(again.recovered.is_none(), "the damage is repaired once");
}

#[cfg(unix)]
#[test]
fn files_with_keys_are_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let run = Run::new();
    for name in ["run.redb", "rescue"] {
        let mode = fs::metadata(run.copy().path().join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn state_dir_is_locked() {
    let run = Run::new();
    let first = StateDir::lock(run.dir.path()).unwrap();
    let error = StateDir::lock(run.dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    drop(first);
    StateDir::lock(run.dir.path()).unwrap();
}

#[test]
fn archived_run_stays_intact() {
    let run = Run::new();
    let dir = StateDir::lock(run.dir.path()).unwrap();
    let first = dir.archive().unwrap().unwrap();
    assert!(!dir.has_run() && dir.archive().unwrap().is_none());
    drop(dir.create(&identity(), &initial(RULE)).unwrap());
    let second = dir.archive().unwrap().unwrap();
    assert_ne!(first, second);
    fs::rename(&first, run.dir.path().join("run.redb")).unwrap();
    assert_eq!(end_of(&dir.open_undamaged().unwrap()), run.end);
}

#[test]
fn invalid_state_dir_is_an_error() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("file");
    fs::write(&file, "").unwrap();
    let error = StateDir::lock(&file).unwrap_err().to_string();
    assert!(
        error.contains("could not make") && error.contains("file"),
        "{error}"
    );
    let error = StateDir::lock_existing(&temp.path().join("nowhere"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("expected a saved run in") && error.contains("found none"),
        "{error}"
    );
}

#[test]
fn replaced_run_is_archived() {
    let run = Run::new();
    let dir = StateDir::lock(run.dir.path()).unwrap();
    let log = dir.open_undamaged().unwrap();
    let mut other = Live::new(RULE, 4);
    other.records(log.position().sequence);
    let mut learner = other.learner;
    learner.end_sessions();
    learner.drop_outputs();
    let position = LogPosition {
        sequence: learner.position(),
        ..log.position()
    };
    let checkpoint = Checkpoint::of(&learner, position);
    let archived = dir.replace(log, &checkpoint).unwrap();

    let log = dir.open_undamaged().unwrap();
    assert_eq!(end_of(&log), learner.state());
    drop(log);
    fs::rename(&archived, run.dir.path().join("run.redb")).unwrap();
    let log = dir.open_undamaged().unwrap();
    assert_eq!(end_of(&log), run.end, "the archived run");
}

#[test]
fn failed_replace_keeps_run() {
    let run = Run::new();
    let dir = StateDir::lock(run.dir.path()).unwrap();
    let log = dir.open_undamaged().unwrap();
    let checkpoint = log.newest_checkpoint().unwrap();
    fs::create_dir(run.dir.path().join("new.redb")).unwrap(); // blocks the temporary file
    dir.replace(log, &checkpoint).unwrap_err();
    assert_eq!(end_of(&dir.open_undamaged().unwrap()), run.end);
}
