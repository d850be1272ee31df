//! A disk that fails, or loses power, at any moment: whatever was saved without an error is there afterwards, and all
//! that is there is a state the run was in.

use farsign::optimizer::FarSign;
use farsign::random::Stream;
use farsign_server::store::event::Checkpoint;
use farsign_server::store::log::Log;
use farsign_server::store::replay::replay;

use crate::disk::Disk;
use crate::events::{Bits, RULES, apply, beginning, bits, cursor, event, identity, options};

/// A run on a disk until something fails or it has gone on long enough.
struct Attempt {
    /// The state after each event, from none on.
    states: Vec<Bits>,
    /// Events that were saved without an error.
    saved: u64,
    error: Option<String>,
}

fn run(disk: &Disk, seed: u64) -> Attempt {
    let (mut stream, rule) = (Stream::new(seed), RULES[(seed % 2) as usize]);
    let mut live = FarSign::new(options(rule));
    let mut attempt = Attempt { states: vec![bits(&live)], saved: 0, error: None };
    let log = disk.database().map_err(|error| error.to_string()).and_then(|database| {
        Log::create(database, identity(), &beginning(rule)).map_err(|error| error.to_string())
    });
    let mut log = match log {
        Ok(log) => log,
        Err(error) => return Attempt { error: Some(error), ..attempt },
    };
    for batch in 1..=12 {
        let events: Vec<_> = (0..=stream.below(6)).map(|_| event(&mut stream)).collect();
        for event in &events {
            apply(&mut live, event);
            attempt.states.push(bits(&live));
        }
        let mut saved = log.append(&events, &[], cursor(batch));
        if saved.is_ok() {
            attempt.saved += events.len() as u64;
            if batch % 3 == 0 {
                let (head, cursor) = (log.head(), log.cursor());
                saved = log.checkpoint(&Checkpoint { head, cursor, state: live.state() }, 2_000);
            }
        }
        if let Err(error) = saved {
            return Attempt { error: Some(error.to_string()), ..attempt };
        }
    }
    std::mem::forget(log); // a process that is killed closes nothing
    attempt
}

fn check(disk: &Disk, attempt: &Attempt, seed: u64, what: &str) {
    let mut stream = Stream::new(!seed);
    for cut in 0..4 {
        let disk = disk.after_power_cut(&mut stream);
        let log = match disk.database().map(Log::open) {
            Ok(Ok(log)) => log,
            _ if attempt.saved == 0 => continue, // the run had not begun
            failed => panic!("seed {seed}, {what}, cut {cut}: {} events are lost: {failed:?}", attempt.saved),
        };
        let found = log.head().sequence;
        let possible = attempt.saved..=attempt.states.len() as u64 - 1;
        assert!(possible.contains(&found), "seed {seed}, {what}, cut {cut}: {found} of {possible:?} events");
        let rule = RULES[(seed % 2) as usize];
        for checkpoint in [log.oldest_checkpoint().unwrap(), log.newest_checkpoint().unwrap()] {
            let replayed = replay(&log, options(rule), checkpoint).unwrap();
            assert_eq!(bits(&replayed), attempt.states[found as usize], "seed {seed}, {what}, cut {cut}");
        }
    }
}

#[test]
fn nothing_saved_is_lost_when_the_disk_fails_at_any_of_its_operations() {
    for seed in 0..4 {
        let whole = Disk::default();
        let attempt = run(&whole, seed);
        assert_eq!((attempt.error.as_deref(), attempt.saved as usize), (None, attempt.states.len() - 1));
        check(&whole, &attempt, seed, "no failure");
        for operations in 0..whole.operations() {
            let disk = Disk::default();
            disk.fail_after(operations);
            let attempt = run(&disk, seed);
            let what = format!("failure after {operations} operations");
            let error = attempt.error.as_deref().unwrap_or_else(|| panic!("seed {seed}, {what}: no error"));
            assert!(error.contains("no space left on this disk"), "seed {seed}, {what}: {error}");
            check(&disk, &attempt, seed, &what);
        }
    }
}
