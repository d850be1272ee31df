use farsign::direction::{DirectionFamily, DirectionSpec};
use farsign::learner::{Learner, LearnerOptions};
use farsign::optimizer::{FarSign, FarSignOptions, Rule};
use farsign::schedule::{Decay, StepSize};

use super::*;

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
    let directions = DirectionSpec::new(DirectionFamily::Coordinate, 2, 2).unwrap();
    let step_size = StepSize {
        initial: 0.1,
        decay: Decay::Constant,
    };
    let optimizer = FarSignOptions::new(&[0.5, -0.5], directions, step_size, Rule::Plain).unwrap();
    let options = LearnerOptions {
        sampling_key: Key::new([6; 32]),
        verify_probability: None,
        horizon: 10,
        fault: None,
    };
    let learner = Learner::new(FarSign::new(optimizer), options);
    Checkpoint {
        position: LogPosition {
            sequence: 5,
            bytes: 300,
        },
        state: learner.into_state().after_lost_records(5),
    }
}

const BEGIN: LogPosition = LogPosition {
    sequence: 3,
    bytes: 100,
};

fn read(bytes: &[u8]) -> Result<Checkpoint, SavedValueError> {
    read_checkpoint(bytes, &mut |_| None)
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

/// Later versions must read these bytes: they change only together with the number of the format.
#[test]
fn format_v4_encoding() {
    let encoded = format!(
        "04000000ffffffffffffffff{}{}0100000000000000{}6261746368203d20310a",
        "05".repeat(32),
        "06".repeat(32),
        "07".repeat(32)
    );
    assert_eq!(hex(&write_identity(&identity())), encoded);
    let checkpoint = checkpoint();
    let position = "05000000000000002c01000000000000";
    let written = write_position(checkpoint.position);
    assert_eq!(hex(&written), position);
    let header = hex(&write_checkpoint(&checkpoint, BEGIN)[..32]);
    assert_eq!(
        header,
        format!("{position}03000000000000006400000000000000")
    );
}

#[test]
fn encoding_round_trip() {
    assert_eq!(read_identity(&write_identity(&identity())), Ok(identity()));
    let checkpoint = checkpoint();
    let bytes = write_checkpoint(&checkpoint, BEGIN);
    let (header, _) = read_header(&bytes).unwrap();
    assert_eq!(
        (header.position, header.begin),
        (checkpoint.position, BEGIN)
    );
    let position = write_position(header.position);
    assert_eq!(read_position(&position), Ok(header.position));
    assert_eq!(read(&bytes), Ok(checkpoint.clone()));
    let backup = write_backup(&identity(), &checkpoint);
    let (identity, from_backup) = read_backup(&backup).unwrap();
    assert_eq!(
        (identity, from_backup.state),
        (self::identity(), checkpoint.state)
    );
}

#[test]
fn truncated_or_trailing_bytes_are_errors() {
    let position = write_position(LogPosition::default());
    let longer = [&position[..], &[0]].concat();
    let trailing = SavedValueError::Trailing { found: 1 };
    assert_eq!(read_position(&longer), Err(trailing));
    for length in 0..16 {
        let found = read_position(&position[..length]);
        assert!(matches!(found, Err(SavedValueError::Truncated { .. })));
    }
    let bytes = write_checkpoint(&checkpoint(), BEGIN);
    assert!((0..bytes.len()).all(|length| read(&bytes[..length]).is_err()));
}

#[test]
fn other_versions_are_recognized() {
    let format = read_identity(&[1, 0, 0, 0]).unwrap_err();
    assert_eq!(format, SavedValueError::Format { found: 1 });
    let mut bytes = write_checkpoint(&checkpoint(), BEGIN);
    bytes[32] = 9; // the version of the fold
    let fold = read(&bytes).unwrap_err();
    assert!(fold.to_string().contains("found version 9"), "{fold}");
    let truncated = read(&bytes[..3]).unwrap_err();
    let found = [format, fold, truncated].map(|error| error.is_other_version());
    assert_eq!(found, [true, true, false]);
}

#[test]
fn damaged_backup_is_an_error() {
    let bytes = write_backup(&identity(), &checkpoint());
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert_eq!(
            read_backup(&changed),
            Err(SavedValueError::Checksum),
            "byte {at}"
        );
        assert_eq!(
            read_backup(&bytes[..at]),
            Err(SavedValueError::Checksum),
            "length {at}"
        );
    }
}
