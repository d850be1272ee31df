//! Replay of a log is bit-identical.

use farsign_server::store::StoreOptions;
use farsign_server::store::replay::replay;
use farsign_server::store::run_database::RunDatabase;
use farsign_server::store::saved_run::SavedRun;
use proptest::prelude::*;

use crate::disk::Disk;
use crate::records::{Live, RULES, identity, initial, options};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn replay_is_bit_identical(
        seed: u64, rule in 0..2usize, batches in 1u64..30, batch in 1u64..20, every in 1u64..8,
        retention in prop_oneof![Just(u64::MAX), 1u64..20_000], reopen in 1u64..9, late: bool,
    ) {
        let rule = RULES[rule];
        let disk = Disk::default();
        let mut live = Live::new(rule, seed);
        let mut log = RunDatabase::create(disk.database().unwrap(), identity(), &initial(rule)).unwrap();
        for number in 1..=batches {
            let before = live.checkpoint(&log);
            log.append(&live.records(batch)).unwrap();
            if number % every == 0 {
                let checkpoint = if late { before } else { live.checkpoint(&log) };
                log.checkpoint(&checkpoint, retention).unwrap();
            }
            if number % reopen == 0 {
                drop(log);
                log = RunDatabase::open(disk.database().unwrap()).unwrap();
            }
        }
        drop(log);
        let log = RunDatabase::open(disk.database().unwrap()).unwrap();
        prop_assert_eq!(log.position().sequence, batches * batch);
        prop_assert_eq!(log.identity(), &identity());
        for checkpoint in [log.oldest_checkpoint().unwrap(), log.newest_checkpoint().unwrap()] {
            let from = checkpoint.position.sequence;
            let replayed = replay(&log, &options(rule), checkpoint).unwrap();
            prop_assert_eq!(replayed.state(), live.state(), "from {}", from);
        }
    }
}

#[test]
fn retention_keeps_two_checkpoints() {
    let rule = RULES[0];
    let disk = Disk::default();
    let mut live = Live::new(rule, 5);
    let mut log =
        RunDatabase::create(disk.database().unwrap(), identity(), &initial(rule)).unwrap();
    let mut max = 0;
    for _ in 0..200 {
        log.append(&live.records(10)).unwrap();
        log.checkpoint(&live.checkpoint(&log), 40_000).unwrap();
        max = max.max(log.bytes());
        let oldest = log.oldest_checkpoint().unwrap();
        let replayed = replay(&log, &options(rule), oldest).unwrap();
        assert_eq!(replayed.state(), live.state());
    }
    assert!(
        (20_000..=40_000).contains(&max),
        "{max} bytes of at most 40,000"
    );
    let position = log.position();
    log.append(&live.records(1)).unwrap();
    log.checkpoint(&live.checkpoint(&log), 1).unwrap();
    let oldest = |log: &RunDatabase| log.oldest_checkpoint().unwrap().position;
    assert_eq!(oldest(&log), position, "the one before the newest stays");
    drop(log);
    let log = RunDatabase::open(disk.database().unwrap()).unwrap();
    assert_eq!(oldest(&log), position);
    let bytes = log.bytes();
    assert!(bytes < max, "{bytes}: records that no state refers to stay");
}

#[test]
fn changed_probability_is_recorded() {
    let rule = RULES[0];
    let disk = Disk::default();
    let mut live = Live::new(rule, 6);
    let mut log =
        RunDatabase::create(disk.database().unwrap(), identity(), &initial(rule)).unwrap();
    log.append(&live.records(100)).unwrap();
    let mut changed = options(rule);
    changed.learner.verify_probability = Some(0.7);
    let store = StoreOptions {
        checkpoint_every: 10,
        retention_bytes: u64::MAX,
    };
    let saved = SavedRun::restore(log, None, &changed, store).unwrap();
    assert_eq!(saved.learner.verify_probability(), Some(0.7));
    let state = saved.learner.state();
    drop(saved.writer);
    let log = RunDatabase::open(disk.database().unwrap()).unwrap();
    let oldest = log.oldest_checkpoint().unwrap();
    let replayed = replay(&log, &options(rule), oldest).unwrap();
    assert_eq!(replayed.state(), state, "the options of the start suffice");
}

#[test]
fn reopened_log_keeps_needed_records() {
    let rule = RULES[0];
    let disk = Disk::default();
    let mut live = Live::new(rule, 7);
    let mut log =
        RunDatabase::create(disk.database().unwrap(), identity(), &initial(rule)).unwrap();
    for number in 1..=100 {
        log.append(&live.records(5)).unwrap();
        log.checkpoint(&live.checkpoint(&log), 1).unwrap();
        drop(log);
        log = RunDatabase::open(disk.database().unwrap()).unwrap();
        for checkpoint in [log.oldest_checkpoint(), log.newest_checkpoint()] {
            let replayed = replay(&log, &options(rule), checkpoint.unwrap()).unwrap();
            assert_eq!(replayed.state(), live.state(), "checkpoint {number}");
        }
    }
}
