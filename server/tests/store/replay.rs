//! A log leads to the very bits that were there the first time.

use farsign::optimizer::FarSign;
use farsign::random::Stream;
use farsign::trust::Trust;
use farsign_server::admission::identity::Identity;
use farsign_server::store::event::{Checkpoint, Credit};
use farsign_server::store::log::Log;
use farsign_server::store::replay::replay;
use proptest::prelude::*;

use crate::disk::Disk;
use crate::events::{RULES, apply, beginning, bits, cursor, event, identity, options};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn replay_gives_the_same_bits_from_every_checkpoint(
        seed: u64, rule in 0..2usize, batches in 1u64..30, batch in 1u64..20, every in 1u64..8,
    ) {
        let (mut stream, rule, disk) = (Stream::new(seed), RULES[rule], Disk::default());
        let mut live = FarSign::new(options(rule));
        let mut log = Log::create(disk.database().unwrap(), identity(), &beginning(rule)).unwrap();
        for number in 1..=batches {
            let events: Vec<_> = (0..batch).map(|_| event(&mut stream)).collect();
            events.iter().for_each(|event| apply(&mut live, event));
            log.append(&events, &[], cursor(number)).unwrap();
            if number % every == 0 {
                let (head, cursor) = (log.head(), log.cursor());
                log.checkpoint(&Checkpoint { head, cursor, state: live.state() }, u64::MAX).unwrap();
            }
        }
        drop(log);
        let log = Log::open(disk.database().unwrap()).unwrap();
        prop_assert_eq!((log.head().sequence, log.cursor()), (batches * batch, cursor(batches)));
        prop_assert_eq!(log.identity(), &identity());
        for checkpoint in [log.oldest_checkpoint().unwrap(), log.newest_checkpoint().unwrap()] {
            let from = checkpoint.head.sequence;
            prop_assert_eq!(bits(&replay(&log, options(rule), checkpoint).unwrap()), bits(&live), "from {}", from);
        }
    }
}

#[test]
fn old_events_go_with_their_checkpoint_and_two_checkpoints_always_stay() {
    let (mut stream, rule, disk) = (Stream::new(5), RULES[0], Disk::default());
    let mut live = FarSign::new(options(rule));
    let mut log = Log::create(disk.database().unwrap(), identity(), &beginning(rule)).unwrap();
    let mut most = 0;
    for number in 1..=200 {
        let events: Vec<_> = (0..10).map(|_| event(&mut stream)).collect();
        events.iter().for_each(|event| apply(&mut live, event));
        log.append(&events, &[], cursor(number)).unwrap();
        let (head, cursor) = (log.head(), log.cursor());
        log.checkpoint(&Checkpoint { head, cursor, state: live.state() }, 10_000).unwrap();
        most = most.max(log.bytes());
        assert_eq!(
            bits(&replay(&log, options(rule), log.oldest_checkpoint().unwrap()).unwrap()),
            bits(&live)
        );
    }
    assert!((5_000..=10_000).contains(&most), "{most} bytes of at most 10,000");
    let head = log.head();
    log.append(&[event(&mut stream)], &[], cursor(201)).unwrap();
    log.checkpoint(&Checkpoint { head: log.head(), cursor: log.cursor(), state: live.state() }, 1).unwrap();
    assert_eq!(log.oldest_checkpoint().unwrap().head, head, "the one before the newest stays");
    let after = Log::open({
        drop(log);
        disk.database().unwrap()
    })
    .unwrap();
    assert_eq!(after.oldest_checkpoint().unwrap().head, head);
}

#[test]
fn credit_is_there_again_in_the_order_in_which_it_changed_unless_it_was_forgotten() {
    let (mut stream, disk) = (Stream::new(8), Disk::default());
    let mut log = Log::create(disk.database().unwrap(), identity(), &beginning(RULES[0])).unwrap();
    assert_eq!(log.credits().unwrap(), []);
    let name = |number: u128| Identity::from(number);
    let credit = |passed| Credit { trust: Trust { passed }, accepted: 10 * u64::from(passed) };
    for (batch, changes) in [
        vec![(name(9), Some(credit(1))), (name(4), Some(credit(2)))],
        vec![(name(7), Some(credit(3)))],
        vec![(name(9), Some(credit(4))), (name(4), None)],
    ]
    .iter()
    .enumerate()
    {
        log.append(&[event(&mut stream)], changes, cursor(batch as u64)).unwrap();
    }
    drop(log);
    let log = Log::open(disk.database().unwrap()).unwrap();
    assert_eq!(log.credits().unwrap(), [(name(7), credit(3)), (name(9), credit(4))]);
}
