//! Files: training data, saved records, settings.

use std::sync::{Arc, OnceLock};

use farsign::dataset::{Dataset, DatasetParts, IdxFile, IdxPair, ShardedDataset};
use farsign::direction::{DirectionFamily, DirectionSpec};
use farsign::optimizer::{FarSignOptions, FarSignState, Rule};
use farsign::schedule::{Decay, StepSize};
use farsign_server::config::Config;
use farsign_server::config::settings::Settings;
use farsign_server::data::content::Content;
use farsign_server::data::loader::TrainAndHeldOut;
use farsign_server::data::shard_files::ShardFiles;
use farsign_server::store::codec::{self, RecordError};
use farsign_server::store::event::{Checkpoint, LogPosition};
use farsign_server::store::replay;
use sha2::{Digest, Sha256};

/// Maximum size of an input of [`idx`], so that no input unpacks to more than 4 MiB.
const MAX_IDX_BYTES: usize = 4096;

/// Maximum size that one byte of a gzip file unpacks to.
const MAX_GZIP_RATIO: usize = 1032;

/// Tests that a valid pair of IDX files, plain or gzipped, round-trips.
///
/// The input is the length of the images file in 2 bytes, followed by both files.
pub fn idx(bytes: &[u8]) -> bool {
    let Some((length, files)) = bytes.split_first_chunk() else {
        return false;
    };
    let Some((images, labels)) = files.split_at_checked(u16::from_le_bytes(*length).into()) else {
        return false;
    };
    if files.len() > MAX_IDX_BYTES {
        return false;
    }
    let Ok(data) = training(images, labels) else {
        return false;
    };
    assert!(
        data.images().len() <= MAX_GZIP_RATIO * images.len(),
        "more pixels than the file can hold"
    );
    assert_eq!(data.images().len(), data.len() * data.pixels());
    assert!(
        data.labels()
            .iter()
            .all(|label| usize::from(*label) < data.classes())
    );
    let images = data.to_idx_images();
    let labels = data.to_idx_labels();
    let again = training(&images, &labels).expect("written files are valid");
    assert_eq!(again, data);
    assert_eq!(
        Dataset::held_out(pair(&images, &labels), &data).as_ref(),
        Ok(&data),
        "data matches itself"
    );
    true
}

fn pair<'a>(images: &'a [u8], labels: &'a [u8]) -> IdxPair<'a> {
    IdxPair {
        images: IdxFile {
            name: "images",
            bytes: images,
        },
        labels: IdxFile {
            name: "labels",
            bytes: labels,
        },
    }
}

fn training(images: &[u8], labels: &[u8]) -> Result<Dataset, farsign::dataset::DatasetError> {
    Dataset::training(pair(images, labels))
}

/// Tests that a valid record of a saved run round-trips. The first byte is the kind of record.
pub fn saved_record(bytes: &[u8]) -> bool {
    let Some((kind, bytes)) = bytes.split_first() else {
        return false;
    };
    let read = match kind {
        0 => codec::read_event(bytes).map(|event| {
            assert_eq!(
                codec::write_event(&event),
                bytes,
                "an event has one encoding"
            );
        }),
        1 => codec::read_identity(bytes).map(|identity| {
            assert_eq!(
                codec::write_identity(&identity),
                bytes,
                "an identity has one encoding"
            );
        }),
        2 => codec::read_position(bytes).map(|(position, counters)| {
            let written = codec::write_position(position, &counters);
            let (position, counters) =
                codec::read_position(&written).expect("written bytes are valid");
            assert_eq!(codec::write_position(position, &counters), written);
        }),
        3 => codec::read_checkpoint(bytes)
            .map(|checkpoint| check_checkpoint(checkpoint, bytes.len())),
        5 => codec::read_trust_record(bytes).map(|(changed, record)| {
            let position = LogPosition {
                sequence: changed,
                ..LogPosition::default()
            };
            assert_eq!(
                codec::write_trust_record(position, record),
                bytes,
                "a trust record has one encoding"
            );
        }),
        _ => check_backup(bytes),
    };
    read.is_ok()
}

/// Tests a checkpoint. Bytes are compared because NaN is not equal to itself.
fn check_checkpoint(checkpoint: Checkpoint, bytes: usize) {
    let written = codec::write_checkpoint(&checkpoint);
    assert_eq!(written.len(), bytes, "a checkpoint has one encoded length");
    let again = codec::read_checkpoint(&written).expect("written bytes are valid");
    assert_eq!(codec::write_checkpoint(&again), written);

    let directions =
        DirectionSpec::new(DirectionFamily::Coordinate, 2, 2).expect("two coordinates");
    let step_size = StepSize {
        initial: 0.1,
        decay: Decay::Constant,
    };
    let options = FarSignOptions::new(&[0.0; 2], directions, step_size, Rule::Plain)
        .expect("small steps fit");
    let Ok(optimizer) = replay::restore(options, checkpoint) else {
        return;
    };
    let mut state: FarSignState = again.state.clone();
    state.senders.sort_by_key(|sender| sender.volunteer);
    let restored = Checkpoint {
        state: optimizer.state(),
        ..again.clone()
    };
    let expected = Checkpoint { state, ..again };
    assert_eq!(
        codec::write_checkpoint(&restored),
        codec::write_checkpoint(&expected)
    );
}

/// Tests a backup. The target appends the checksum, which a fuzzer cannot find, and rejects a truncated one.
fn check_backup(content: &[u8]) -> Result<(), RecordError> {
    let backup = [content, &Sha256::digest(content)].concat();
    assert!(
        codec::read_backup(&backup[..backup.len() - 1]).is_err(),
        "the checksum is truncated"
    );
    let (identity, checkpoint) = codec::read_backup(&backup)?;
    let written = codec::write_backup(&identity, &checkpoint);
    let (identity, checkpoint) = codec::read_backup(&written).expect("written bytes are valid");
    assert_eq!(codec::write_backup(&identity, &checkpoint), written);
    Ok(())
}

/// Tests a settings file.
///
/// It has valid settings or errors with a message, settings round-trip, and a run resumed with its pinned settings is the
/// same run.
pub fn settings(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let settings = match Settings::from_toml(text) {
        Ok(settings) => settings,
        Err(errors) => {
            assert!(!errors.is_empty() && errors.iter().all(|error| !error.is_empty()));
            return false;
        }
    };
    let written = settings.to_toml();
    let again = Settings::from_toml(&written).expect("written settings are valid");
    assert_eq!(again.to_toml(), written);

    // The configuration reads the files that the settings name, which is not tested here.
    let settings = Settings {
        tls_cert: None,
        tls_key: None,
        ban_file: None,
        data: None,
        ..settings
    };
    match Config::new(&settings, digits(), 1) {
        Ok(config) => check_pinned(&config),
        Err(errors) => assert!(!errors.0.is_empty(), "an error without a message"),
    }
    true
}

fn check_pinned(config: &Config) {
    let pinned = config.pinned_settings();
    let read = Settings::from_toml(&pinned.to_toml()).expect("pinned settings are valid");
    let again = Settings {
        seed: Some(config.seed),
        ..read
    };
    let again = Config::new(&again, digits(), 2).expect("a run resumes with its pinned settings");
    assert_eq!(again.pinned_settings(), pinned);
    assert_eq!(
        (again.run.run_id, again.run.directions),
        (config.run.run_id, config.run.directions)
    );
}

/// Returns data with a training set of minimum size.
fn digits() -> &'static TrainAndHeldOut {
    static DIGITS: OnceLock<TrainAndHeldOut> = OnceLock::new();
    DIGITS.get_or_init(|| {
        let parts = DatasetParts {
            rows: 1,
            cols: 2,
            images: vec![9, 0, 0, 9],
            labels: vec![0, 1],
        };
        let train = Arc::new(Dataset::from_parts(parts).expect("two images with two labels"));
        TrainAndHeldOut {
            held_out: Arc::clone(&train),
            name: String::new(),
            notes: Vec::new(),
            content: Content::Images,
            shards: ShardFiles::new(ShardedDataset::from(Arc::clone(&train))),
            train,
        }
    })
}
