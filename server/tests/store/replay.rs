//! Replay of a log is bit-identical.

use farsign::identity::VolunteerIdentity;
use farsign::optimizer::FarSign;
use farsign::random::Stream;
use farsign::trust::Trust;
use farsign_server::store::event::{Checkpoint, TrustRecord};
use farsign_server::store::log::Log;
use farsign_server::store::replay::replay;
use proptest::prelude::*;

use crate::disk::Disk;
use crate::events::{RULES, apply, bits, counters, event, identity, initial, options};

fn checkpoint(log: &Log, live: &FarSign) -> Checkpoint {
    Checkpoint {
        position: log.position(),
        counters: log.counters(),
        state: live.state(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn replay_is_bit_identical(
        seed: u64, rule in 0..2usize, batches in 1u64..30, batch in 1u64..20, every in 1u64..8,
    ) {
        let mut stream = Stream::new(seed);
        let rule = RULES[rule];
        let disk = Disk::default();
        let mut live = FarSign::new(options(rule));
        let mut log = Log::create(disk.database().unwrap(), identity(), &initial(rule)).unwrap();
        for number in 1..=batches {
            let events: Vec<_> = (0..batch).map(|_| event(&mut stream)).collect();
            events.iter().for_each(|event| apply(&mut live, event));
            log.append(&events, &[], counters(number)).unwrap();
            if number % every == 0 {
                log.checkpoint(&checkpoint(&log, &live), u64::MAX).unwrap();
            }
        }
        drop(log);
        let log = Log::open(disk.database().unwrap()).unwrap();
        prop_assert_eq!((log.position().sequence, log.counters()), (batches * batch, counters(batches)));
        prop_assert_eq!(log.identity(), &identity());
        for checkpoint in [log.oldest_checkpoint().unwrap(), log.newest_checkpoint().unwrap()] {
            let from = checkpoint.position.sequence;
            prop_assert_eq!(bits(&replay(&log, options(rule), checkpoint).unwrap()), bits(&live), "from {}", from);
        }
    }
}

#[test]
fn retention_keeps_two_checkpoints() {
    let mut stream = Stream::new(5);
    let rule = RULES[0];
    let disk = Disk::default();
    let mut live = FarSign::new(options(rule));
    let mut log = Log::create(disk.database().unwrap(), identity(), &initial(rule)).unwrap();
    let mut max = 0;
    for number in 1..=200 {
        let events: Vec<_> = (0..10).map(|_| event(&mut stream)).collect();
        events.iter().for_each(|event| apply(&mut live, event));
        log.append(&events, &[], counters(number)).unwrap();
        log.checkpoint(&checkpoint(&log, &live), 10_000).unwrap();
        max = max.max(log.bytes());
        assert_eq!(
            bits(&replay(&log, options(rule), log.oldest_checkpoint().unwrap()).unwrap()),
            bits(&live)
        );
    }
    assert!(
        (5_000..=10_000).contains(&max),
        "{max} bytes of at most 10,000"
    );
    let position = log.position();
    log.append(&[event(&mut stream)], &[], counters(201))
        .unwrap();
    log.checkpoint(&checkpoint(&log, &live), 1).unwrap();
    assert_eq!(
        log.oldest_checkpoint().unwrap().position,
        position,
        "the one before the newest stays"
    );
    let after = Log::open({
        drop(log);
        disk.database().unwrap()
    })
    .unwrap();
    assert_eq!(after.oldest_checkpoint().unwrap().position, position);
}

#[test]
fn trust_records_survive_restart() {
    let mut stream = Stream::new(8);
    let disk = Disk::default();
    let mut log = Log::create(disk.database().unwrap(), identity(), &initial(RULES[0])).unwrap();
    assert_eq!(log.trust().unwrap(), []);
    let identity_of = |number: u128| VolunteerIdentity::from(number);
    let record = |passed| TrustRecord {
        trust: Trust { passed },
        accepted: 10 * u64::from(passed),
    };
    for (batch, changes) in [
        vec![
            (identity_of(9), Some(record(1))),
            (identity_of(4), Some(record(2))),
        ],
        vec![(identity_of(7), Some(record(3)))],
        vec![(identity_of(9), Some(record(4))), (identity_of(4), None)],
    ]
    .iter()
    .enumerate()
    {
        log.append(&[event(&mut stream)], changes, counters(batch as u64))
            .unwrap();
    }
    drop(log);
    let log = Log::open(disk.database().unwrap()).unwrap();
    assert_eq!(
        log.trust().unwrap(),
        [(identity_of(7), record(3)), (identity_of(9), record(4))]
    );
}
