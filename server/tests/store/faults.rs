//! Disk failure and power loss at any moment: saved records survive, and the surviving log is a state that the run was
//! in.

use farsign::learner::LearnerState;
use farsign::random::Stream;
use farsign_server::store::replay::replay;
use farsign_server::store::run_database::RunDatabase;

use crate::disk::Disk;
use crate::records::{Live, RULES, identity, initial, options};

/// A run on a disk, until an operation fails or the run ends.
struct Attempt {
    /// The states before the first record and after each one.
    states: Vec<LearnerState>,
    /// Records that were saved without error.
    saved: u64,
    error: Option<String>,
}

fn run(disk: &Disk, seed: u64) -> Attempt {
    let mut stream = Stream::new(seed);
    let rule = RULES[(seed % 2) as usize];
    let mut live = Live::new(rule, seed);
    let mut attempt = Attempt {
        states: vec![live.state()],
        saved: 0,
        error: None,
    };
    let log = disk
        .database()
        .map_err(|error| error.to_string())
        .and_then(|database| {
            RunDatabase::create(database, identity(), &initial(rule))
                .map_err(|error| error.to_string())
        });
    let mut log = match log {
        Ok(log) => log,
        Err(error) => {
            return Attempt {
                error: Some(error),
                ..attempt
            };
        }
    };
    for batch in 1..=12 {
        let mut records = Vec::new();
        for _ in 0..=stream.below(6) {
            records.push(live.record());
            attempt.states.push(live.state());
        }
        let mut saved = log.append(&records);
        if saved.is_ok() {
            attempt.saved += records.len() as u64;
            if batch % 3 == 0 {
                saved = log.checkpoint(&live.checkpoint(&log), 2_000);
            }
        }
        if let Err(error) = saved {
            return Attempt {
                error: Some(error.to_string()),
                ..attempt
            };
        }
    }
    std::mem::forget(log); // a killed process closes nothing
    attempt
}

fn check(disk: &Disk, attempt: &Attempt, seed: u64, what: &str) {
    let mut stream = Stream::new(!seed);
    for cut in 0..4 {
        let disk = disk.after_power_cut(&mut stream);
        let log = match disk.database().map(RunDatabase::open) {
            Ok(Ok(log)) => log,
            _ if attempt.saved == 0 => continue, // the run was not created
            failed => panic!(
                "seed {seed}, {what}, cut {cut}: {} records are lost: {failed:?}",
                attempt.saved
            ),
        };
        let found = log.position().sequence;
        let possible = attempt.saved..=attempt.states.len() as u64 - 1;
        assert!(
            possible.contains(&found),
            "seed {seed}, {what}, cut {cut}: {found} of {possible:?} records"
        );
        let rule = RULES[(seed % 2) as usize];
        for checkpoint in [
            log.oldest_checkpoint().unwrap(),
            log.newest_checkpoint().unwrap(),
        ] {
            let replayed = replay(&log, &options(rule), checkpoint).unwrap();
            assert_eq!(
                replayed.state(),
                attempt.states[found as usize],
                "seed {seed}, {what}, cut {cut}"
            );
        }
    }
}

#[test]
fn saved_records_survive_any_failure() {
    for seed in 0..4 {
        let whole = Disk::default();
        let attempt = run(&whole, seed);
        assert_eq!(
            (attempt.error.as_deref(), attempt.saved as usize),
            (None, attempt.states.len() - 1)
        );
        check(&whole, &attempt, seed, "no failure");
        for operations in 0..whole.operations() {
            let disk = Disk::default();
            disk.fail_after(operations);
            let attempt = run(&disk, seed);
            let what = format!("failure after {operations} operations");
            let error = attempt
                .error
                .as_deref()
                .unwrap_or_else(|| panic!("seed {seed}, {what}: no error"));
            assert!(
                error.contains("no space left on this disk"),
                "seed {seed}, {what}: {error}"
            );
            check(&disk, &attempt, seed, &what);
        }
    }
}
