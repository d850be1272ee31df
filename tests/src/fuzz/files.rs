//! Files: training data, saved records, settings.

use std::sync::{Arc, OnceLock};

use farsign::dataset::{Dataset, DatasetParts, IdxFile, IdxPair, ShardedDataset};
use farsign::learner::codec::{RecordError, read_record, write_record};
use farsign_server::config::Config;
use farsign_server::config::settings::Settings;
use farsign_server::data::content::Content;
use farsign_server::data::loader::TrainAndHeldOut;
use farsign_server::data::shard_files::ShardFiles;
use farsign_server::store::codec::{self, SavedValueError};
use farsign_server::store::saved_values::Checkpoint;
use sha2::{Digest, Sha256};

use super::seeds::replay_options;

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
    match kind {
        0 => check_record(bytes).is_ok(),
        1 => check_identity(bytes).is_ok(),
        2 => check_position(bytes).is_ok(),
        3 => check_checkpoint(bytes).is_ok(),
        _ => check_backup(bytes).is_ok(),
    }
}

fn check_record(bytes: &[u8]) -> Result<(), RecordError> {
    let record = read_record(bytes)?;
    assert_eq!(write_record(&record), bytes, "a record has one encoding");
    Ok(())
}

fn check_identity(bytes: &[u8]) -> Result<(), SavedValueError> {
    let identity = codec::read_identity(bytes)?;
    let written = codec::write_identity(&identity);
    assert_eq!(written, bytes, "an identity has one encoding");
    Ok(())
}

fn check_position(bytes: &[u8]) -> Result<(), SavedValueError> {
    let position = codec::read_position(bytes)?;
    let written = codec::write_position(position);
    assert_eq!(written, bytes, "a position has one encoding");
    Ok(())
}

/// Reads a checkpoint whose updates all have no signs.
fn read_checkpoint(bytes: &[u8]) -> Result<Checkpoint, SavedValueError> {
    codec::read_checkpoint(bytes, &mut |_| Some(Arc::default()))
}

/// Tests a checkpoint. Bytes are compared because NaN is not equal to itself.
fn check_checkpoint(bytes: &[u8]) -> Result<(), SavedValueError> {
    let checkpoint = read_checkpoint(bytes)?;
    let begin = codec::read_header(bytes)?.0.begin;
    let written = codec::write_checkpoint(&checkpoint, begin);
    let again = read_checkpoint(&written).expect("written bytes are valid");
    assert_eq!(codec::write_checkpoint(&again, begin), written);

    let Ok(mut learner) = replay_options().restore(checkpoint) else {
        return Ok(());
    };
    learner.join(None);
    learner.end_sessions();
    Ok(())
}

/// Tests a backup. The target appends the checksum, which a fuzzer cannot find, and rejects a truncated one.
fn check_backup(content: &[u8]) -> Result<(), SavedValueError> {
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
