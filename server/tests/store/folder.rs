//! The folder of a run when its files are not as they were written.

use std::fs;
use std::path::Path;

use farsign::optimizer::{FarSign, Rule};
use farsign::random::Stream;
use farsign::task::Secret;
use farsign::trust::Trust;
use farsign_server::store::StoreError;
use farsign_server::store::event::{Checkpoint, Credit};
use farsign_server::store::folder::{Folder, Opened};
use farsign_server::store::log::Log;
use farsign_server::store::replay::replay;
use farsign_server::store::writer::Writer;
use tempfile::TempDir;

use crate::events::{Bits, apply, beginning, bits, cursor, event, identity, options};

const RULE: Rule = Rule::Plain;

/// A saved run.
struct Run {
    folder: TempDir,
    /// Its end.
    end: Bits,
    /// Accepted contributions in its last checkpoint.
    checkpoint: u64,
}

impl Run {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::lock(place.path()).unwrap();
        let log = folder.create(&identity(), &beginning(RULE)).unwrap();
        let (mut live, mut stream, mut checkpoint) = (FarSign::new(options(RULE)), Stream::new(3), 0);
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let writer = Writer::start(log, Some(folder), u64::MAX).unwrap();
            for batch in 1..=50 {
                let events: Vec<_> = (0..20).map(|_| event(&mut stream)).collect();
                events.iter().for_each(|event| apply(&mut live, event));
                let is_due = batch % 15 == 0;
                checkpoint = if is_due { live.accepted() } else { checkpoint };
                writer.save(events, Vec::new(), cursor(batch), is_due.then(|| live.state())).await.unwrap();
            }
            writer.close().await;
        });
        Self { folder: place, end: bits(&live), checkpoint }
    }

    fn copy(&self) -> TempDir {
        let to = tempfile::tempdir().unwrap();
        for name in ["run.redb", "rescue"] {
            fs::copy(self.folder.path().join(name), to.path().join(name)).unwrap();
        }
        to
    }
}

fn end_of(log: &Log) -> Bits {
    bits(&replay(log, options(RULE), log.newest_checkpoint().unwrap()).unwrap())
}

fn cases(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |count| count.parse().expect("a number of cases"))
}

/// What a start may come to with damaged files: all of the run, a clear error, or the last checkpoint with a word on it.
fn open_damaged(place: &Path, run: &Run, what: &str) {
    match Folder::lock(place).unwrap().open() {
        Ok(Opened { log, rescued: None }) => {
            assert_eq!(end_of(&log), run.end, "{what}: silently another run");
        }
        Ok(Opened { log, rescued: Some(rescued) }) => {
            assert_eq!(rescued.accepted, run.checkpoint, "{what}");
            assert_eq!(end_of(&log).2, run.checkpoint, "{what}");
            assert!(rescued.kept.as_ref().is_none_or(|file| file.exists()), "{what}: {rescued:?}");
            assert!(!rescued.why.is_empty(), "{what}");
        }
        Err(error) => assert!(error.to_string().contains("damaged"), "{what}: {error}"),
    }
}

/// `FARSIGN_TRUNCATIONS` says how many.
#[test]
fn a_file_cut_short_anywhere_is_never_taken_for_the_run() {
    let run = Run::new();
    let length = fs::metadata(run.folder.path().join("run.redb")).unwrap().len();
    let mut stream = Stream::new(17);
    for case in 0..cases("FARSIGN_TRUNCATIONS", 50) {
        let copy = run.copy();
        let at = if case == 0 { 0 } else { stream.below(length) };
        let file = fs::OpenOptions::new().write(true).open(copy.path().join("run.redb")).unwrap();
        file.set_len(at).unwrap();
        let what = format!("cut to {at} of {length} bytes");
        open_damaged(copy.path(), &run, &what);
        if case % 2 == 0 {
            let rescue = copy.path().join("rescue");
            fs::write(&rescue, &fs::read(&rescue).unwrap()[..stream.below(100) as usize]).unwrap();
            fs::OpenOptions::new()
                .write(true)
                .open(copy.path().join("run.redb"))
                .unwrap()
                .set_len(at)
                .unwrap();
            open_damaged(copy.path(), &run, &format!("{what}, without a rescue"));
        }
    }
}

/// `FARSIGN_TRUNCATIONS` says how many.
#[test]
fn a_file_with_bytes_changed_anywhere_is_never_taken_for_another_run() {
    let run = Run::new();
    let length = fs::metadata(run.folder.path().join("run.redb")).unwrap().len();
    let mut stream = Stream::new(23);
    for _ in 0..cases("FARSIGN_TRUNCATIONS", 50) {
        let copy = run.copy();
        let path = copy.path().join("run.redb");
        let mut bytes = fs::read(&path).unwrap();
        let at = stream.below(length) as usize;
        let count = (1 + stream.below(64) as usize).min(bytes.len() - at);
        bytes[at..at + count].iter_mut().for_each(|byte| *byte ^= 1 + stream.below(255) as u8);
        fs::write(&path, bytes).unwrap();
        open_damaged(copy.path(), &run, &format!("{count} bytes changed at {at} of {length}"));
    }
}

#[test]
fn a_run_whose_database_is_gone_goes_on_from_the_rescue_and_uses_no_number_twice() {
    let run = Run::new();
    let copy = run.copy();
    fs::remove_file(copy.path().join("run.redb")).unwrap();
    let Opened { log, rescued } = Folder::lock(copy.path()).unwrap().open().unwrap();
    assert_eq!(rescued.unwrap().accepted, run.checkpoint);
    assert!(log.cursor().issued > cursor(50).issued && log.cursor().words_drawn > cursor(50).words_drawn);
    drop(log);
    let again = Folder::lock(copy.path()).unwrap().open().unwrap();
    assert!(again.rescued.is_none(), "the damage is repaired once");
}

#[test]
fn a_folder_belongs_to_one_program_at_a_time() {
    let run = Run::new();
    let ours = Folder::lock(run.folder.path()).unwrap();
    let error = Folder::lock(run.folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }), "{error}");
    drop(ours);
    Folder::lock(run.folder.path()).unwrap();
}

#[test]
fn a_run_that_is_moved_aside_stays_whole_and_gets_a_number_of_its_own() {
    let run = Run::new();
    let folder = Folder::lock(run.folder.path()).unwrap();
    let first = folder.set_aside().unwrap().unwrap();
    assert!(!folder.has_run() && folder.set_aside().unwrap().is_none());
    drop(folder.create(&identity(), &beginning(RULE)).unwrap());
    let second = folder.set_aside().unwrap().unwrap();
    assert_ne!(first, second);
    fs::rename(&first, run.folder.path().join("run.redb")).unwrap();
    assert_eq!(end_of(&folder.open_intact().unwrap()), run.end);
}

#[test]
fn a_place_that_is_no_folder_is_named() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Folder::lock(&file).unwrap_err().to_string();
    assert!(error.contains("could not make") && error.contains("file"), "{error}");
    let error = Folder::lock_run(&place.path().join("nowhere")).unwrap_err().to_string();
    assert!(error.contains("expected a saved run in") && error.contains("found none"), "{error}");
}

#[test]
fn a_run_that_goes_on_from_another_state_keeps_what_volunteers_have_earned() {
    let run = Run::new();
    let folder = Folder::lock(run.folder.path()).unwrap();
    let mut log = folder.open_intact().unwrap();
    let credit = Credit { trust: Trust { passed: 7 }, accepted: 9 };
    let earned = vec![(Secret([5; 16]).into(), credit)];
    let change: Vec<_> = earned.iter().map(|(identity, credit)| (*identity, Some(*credit))).collect();
    log.append(&[], &change, cursor(51)).unwrap();
    let other = FarSign::new(options(RULE));
    let checkpoint = Checkpoint { head: log.head(), cursor: log.cursor(), state: other.state() };
    let kept = folder.replace(log, &checkpoint).unwrap();

    let log = folder.open_intact().unwrap();
    assert_eq!((end_of(&log), log.credits().unwrap()), (bits(&other), earned.clone()));
    drop(log);
    fs::rename(&kept, run.folder.path().join("run.redb")).unwrap();
    let log = folder.open_intact().unwrap();
    assert_eq!((end_of(&log), log.credits().unwrap()), (run.end, earned), "as it was");
}

#[test]
fn a_run_that_cannot_be_replaced_is_there_as_it_was() {
    let run = Run::new();
    let folder = Folder::lock(run.folder.path()).unwrap();
    let log = folder.open_intact().unwrap();
    let checkpoint = log.newest_checkpoint().unwrap();
    fs::create_dir(run.folder.path().join("new.redb")).unwrap(); // nothing can be written there
    folder.replace(log, &checkpoint).unwrap_err();
    assert_eq!(end_of(&folder.open_intact().unwrap()), run.end);
}
