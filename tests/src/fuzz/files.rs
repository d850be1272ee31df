//! Files: training data, what is saved of a run, settings.

use std::sync::OnceLock;

use farsign::dataset::{Dataset, DatasetParts, IdxFile, IdxPair};
use farsign::direction::{DirectionFamily, DirectionSpec};
use farsign::optimizer::{FarSignOptions, FarSignState, Rule};
use farsign::schedule::{Decay, StepSize};
use farsign_server::config::Config;
use farsign_server::settings::Settings;
use farsign_server::store::event::{Checkpoint, Head};
use farsign_server::store::record::{self, RecordError};
use farsign_server::store::replay;
use sha2::{Digest, Sha256};

/// Longest input of [`idx`], in bytes, so that no input unpacks to more than 4 MiB.
const MOST_IDX_BYTES: usize = 4096;

/// What one byte of a gzip file can unpack to, in bytes.
const UNPACKED: usize = 1032;

/// A pair of IDX files, plain or gzipped: what is read and written again is the same data. The input is the length of
/// the images file, 2 bytes, then both files.
pub fn idx(bytes: &[u8]) -> bool {
    let Some((length, files)) = bytes.split_first_chunk() else { return false };
    let Some((images, labels)) = files.split_at_checked(u16::from_le_bytes(*length).into()) else {
        return false;
    };
    if files.len() > MOST_IDX_BYTES {
        return false;
    }
    let Ok(data) = training(images, labels) else { return false };
    assert!(data.images().len() <= UNPACKED * images.len(), "more pixels than the file can hold");
    assert_eq!(data.images().len(), data.len() * data.pixels());
    assert!(data.labels().iter().all(|label| usize::from(*label) < data.classes()));
    let (images, labels) = (data.to_idx_images(), data.to_idx_labels());
    let again = training(&images, &labels).expect("what was written can be read");
    assert_eq!(again, data);
    assert_eq!(Dataset::held_out(pair(&images, &labels), &data).as_ref(), Ok(&data), "it goes with itself");
    true
}

fn pair<'a>(images: &'a [u8], labels: &'a [u8]) -> IdxPair<'a> {
    IdxPair {
        images: IdxFile { name: "images", bytes: images },
        labels: IdxFile { name: "labels", bytes: labels },
    }
}

fn training(images: &[u8], labels: &[u8]) -> Result<Dataset, farsign::dataset::DatasetError> {
    Dataset::training(pair(images, labels))
}

/// A record of a saved run, its kind in the first byte: what is read and written again is read the same.
pub fn saved_record(bytes: &[u8]) -> bool {
    let Some((kind, bytes)) = bytes.split_first() else { return false };
    let read = match kind {
        0 => record::read_event(bytes).map(|event| {
            assert_eq!(record::write_event(&event), bytes, "an event has one form");
        }),
        1 => record::read_identity(bytes).map(|identity| {
            assert_eq!(record::write_identity(&identity), bytes, "an identity has one form");
        }),
        2 => record::read_position(bytes).map(|(head, cursor)| {
            let written = record::write_position(head, &cursor);
            let (head, cursor) = record::read_position(&written).expect("what was written can be read");
            assert_eq!(record::write_position(head, &cursor), written);
        }),
        3 => record::read_checkpoint(bytes).map(|checkpoint| check_checkpoint(checkpoint, bytes.len())),
        5 => record::read_credit(bytes).map(|(changed, credit)| {
            let head = Head { sequence: changed, ..Head::default() };
            assert_eq!(record::write_credit(head, credit), bytes, "a credit has one form");
        }),
        _ => check_rescue(bytes),
    };
    read.is_ok()
}

/// Bytes instead of numbers are compared: what is not a number equals nothing.
fn check_checkpoint(checkpoint: Checkpoint, bytes: usize) {
    let written = record::write_checkpoint(&checkpoint);
    assert_eq!(written.len(), bytes, "a checkpoint has one length");
    let again = record::read_checkpoint(&written).expect("what was written can be read");
    assert_eq!(record::write_checkpoint(&again), written);

    let directions =
        DirectionSpec::new(DirectionFamily::Coordinate, 2, 2).expect("there are two coordinates");
    let step_size = StepSize { initial: 0.1, decay: Decay::Constant };
    let options = FarSignOptions { x: vec![0.0; 2], directions, step_size, rule: Rule::Plain };
    let Ok(optimizer) = replay::restore(options, checkpoint) else { return };
    let mut state: FarSignState = again.state.clone();
    state.members.sort_by_key(|member| member.volunteer);
    let restored = Checkpoint { state: optimizer.state(), ..again.clone() };
    let expected = Checkpoint { state, ..again };
    assert_eq!(record::write_checkpoint(&restored), record::write_checkpoint(&expected));
}

/// No fuzzer finds a checksum, so it is put behind what came; and what came is no rescue without it.
fn check_rescue(content: &[u8]) -> Result<(), RecordError> {
    let rescue = [content, &Sha256::digest(content)].concat();
    assert!(record::read_rescue(&rescue[..rescue.len() - 1]).is_err(), "the checksum is incomplete");
    let (identity, checkpoint) = record::read_rescue(&rescue)?;
    let written = record::write_rescue(&identity, &checkpoint);
    let (identity, checkpoint) = record::read_rescue(&written).expect("what was written can be read");
    assert_eq!(record::write_rescue(&identity, &checkpoint), written);
    Ok(())
}

/// A settings file: it gives settings, or mistakes that name something; what is written is read the same; and a run that
/// is bound to its settings is the same run when it goes on with them.
pub fn settings(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let settings = match Settings::from_toml(text) {
        Ok(settings) => settings,
        Err(mistakes) => {
            assert!(!mistakes.is_empty() && mistakes.iter().all(|mistake| !mistake.is_empty()));
            return false;
        }
    };
    let written = settings.to_toml();
    let again = Settings::from_toml(&written).expect("what was written can be read");
    assert_eq!(again.to_toml(), written);

    // Files that the settings name are read by the configuration, and are none of this target's business.
    let settings = Settings { tls_cert: None, tls_key: None, ban_file: None, data: None, ..settings };
    match Config::new(&settings, digits(), 1) {
        Ok(config) => check_bound(&config),
        Err(mistakes) => assert!(!mistakes.0.is_empty(), "it fails without a reason"),
    }
    true
}

fn check_bound(config: &Config) {
    let bound = config.binding();
    let read = Settings::from_toml(&bound.to_toml()).expect("what a run is bound to can be read");
    let again = Settings { seed: Some(config.seed), ..read };
    let again = Config::new(&again, digits(), 2).expect("a run goes on with what it is bound to");
    assert_eq!(again.binding(), bound);
    assert_eq!((again.run.run_id, again.run.directions), (config.run.run_id, config.run.directions));
}

/// A training set of the least size.
fn digits() -> &'static Dataset {
    static DIGITS: OnceLock<Dataset> = OnceLock::new();
    DIGITS.get_or_init(|| {
        let parts = DatasetParts { rows: 1, cols: 2, images: vec![9, 0, 0, 9], labels: vec![0, 1] };
        Dataset::from_parts(parts).expect("two images with two labels")
    })
}
