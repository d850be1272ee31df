use farsign::task::TaskId;
use farsign::version::VersionHash;

use super::*;

fn signs() -> SignBits {
    SignBits::from_bytes(&[0b1010_0101, 0b1], 9).unwrap()
}

fn accepted() -> Event {
    Event::Accepted(Accepted {
        volunteer: VolunteerId(2),
        task: Task {
            id: TaskId(3),
            version: VersionHash([9; 32]),
            minibatch_seed: 10,
            direction_seed: 0x0807_0605_0403_0201,
            coin_seed: 11,
            images: 128,
            shards: 3,
            reset_momentum: true,
        },
        trust: 0.5,
        signs: signs().into(),
    })
}

fn rolled_back() -> Event {
    let step = Step {
        direction_seed: 7,
        scale: -1.0,
        signs: signs(),
    };
    Event::RolledBack {
        volunteer: VolunteerId(2),
        step,
    }
}

fn identity() -> RunIdentity {
    RunIdentity {
        seed: u64::MAX,
        keys: RunKeys {
            tasks: Key::new([5; 32]),
            sampling: Key::new([6; 32]),
        },
        run_id: 1,
        train_digest: [7; 32],
        settings: "batch = 1\n".into(),
    }
}

fn checkpoint() -> Checkpoint {
    let sender = |volunteer, last, sent| SenderState {
        volunteer: VolunteerId(volunteer),
        last,
        sent,
    };
    Checkpoint {
        position: LogPosition {
            sequence: 5,
            bytes: 300,
        },
        counters: CoordinatorCounters {
            position: 2,
            version: 4,
            trust_mean: 0.25,
        },
        state: FarSignState {
            x: vec![1, -2],
            fraction_bits: 28,
            votes: vec![0.5],
            accepted: 4,
            weight: 1.5,
            senders: vec![sender(1, 3, true), sender(2, 4, false)],
        },
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .concat()
}

/// Later versions must read these bytes: they change only together with the number of the format.
#[test]
fn format_v3_encoding() {
    assert_eq!(
        hex(&write_event(&Event::Join(VolunteerId(258)))),
        "010201000000000000"
    );
    assert_eq!(
        hex(&write_event(&Event::Leave(VolunteerId(1)))),
        "020100000000000000"
    );
    assert_eq!(
        hex(&write_event(&accepted())),
        "030200000000000000\
         0300000000000000\
         0909090909090909090909090909090909090909090909090909090909090909\
         0a0000000000000001020304050607080b0000000000000080000000030001\
         0000003f09000000a501"
    );
    assert_eq!(
        hex(&write_event(&rolled_back())),
        "0402000000000000000700000000000000\
         000080bf09000000a501"
    );
    let record = TrustRecord {
        trust: Trust { passed: 6 },
        accepted: 258,
    };
    assert_eq!(
        hex(&write_trust_record(checkpoint().position, record)),
        "0500000000000000020100000000000006000000"
    );
    assert_eq!(
        hex(&write_identity(&identity())),
        format!(
            "03000000ffffffffffffffff{}{}0100000000000000{}6261746368203d20310a",
            "05".repeat(32),
            "06".repeat(32),
            "07".repeat(32)
        )
    );
    assert_eq!(
        hex(&write_checkpoint(&checkpoint())),
        "05000000000000002c0100000000000002000000000000000400000000000000\
         0000803e\
         0400000000000000000000000000f83f\
         1c0200000001000000feffffff\
         010000000000003f\
         0200000001000000000000000300000000000000010200000000000000040000000000000000"
    );
}

#[test]
fn encoding_round_trip() {
    for event in [
        Event::Join(VolunteerId(1)),
        Event::Leave(VolunteerId(u64::MAX)),
        accepted(),
        rolled_back(),
    ] {
        assert_eq!(read_event(&write_event(&event)), Ok(event));
    }
    assert_eq!(read_identity(&write_identity(&identity())), Ok(identity()));
    for checkpoint in [checkpoint(), Checkpoint::default()] {
        let bytes = write_checkpoint(&checkpoint);
        assert_eq!(
            read_position(&bytes),
            Ok((checkpoint.position, checkpoint.counters))
        );
        assert_eq!(read_checkpoint(&bytes), Ok(checkpoint.clone()));
        let backup = write_backup(&identity(), &checkpoint);
        assert_eq!(read_backup(&backup), Ok((identity(), checkpoint)));
    }
}

#[test]
fn truncated_or_trailing_bytes_are_errors() {
    for event in [Event::Join(VolunteerId(1)), accepted(), rolled_back()] {
        let bytes = write_event(&event);
        for length in 0..bytes.len() {
            assert!(
                matches!(
                    read_event(&bytes[..length]),
                    Err(RecordError::Truncated { .. })
                ),
                "{length}"
            );
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(
            read_event(&longer),
            Err(RecordError::Trailing {
                offset: bytes.len(),
                found: 1
            })
        );
    }
    let bytes = write_checkpoint(&checkpoint());
    assert!((0..bytes.len()).all(|length| read_checkpoint(&bytes[..length]).is_err()));
    assert_eq!(
        read_event(&[9; 9]),
        Err(unknown("an event of kind 1 to 4", 9))
    );
    assert_eq!(
        read_identity(&[1, 0, 0, 0]),
        Err(RecordError::Format { found: 1 })
    );
}

#[test]
fn damaged_backup_is_an_error() {
    let bytes = write_backup(&identity(), &checkpoint());
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert_eq!(
            read_backup(&changed),
            Err(RecordError::Checksum),
            "byte {at}"
        );
        assert_eq!(
            read_backup(&bytes[..at]),
            Err(RecordError::Checksum),
            "length {at}"
        );
    }
}

/// A count of four billion does not allocate.
#[test]
fn impossible_count_allocates_nothing() {
    let position = write_position(LogPosition::default(), &CoordinatorCounters::default());
    let bytes = [&position[..], &[0; 17], &[0xff; 4]].concat();
    assert!(matches!(
        read_checkpoint(&bytes),
        Err(RecordError::Truncated {
            expected: 0x3_ffff_fffc,
            ..
        })
    ));
}
