//! Folders with training data, as `--data` reads them.

use std::fs;
use std::io;
use std::path::Path;

use farsign::dataset::Dataset;
use farsign_server::data::loader::FILE_NAMES;

/// Writes a training set and its held-out set as four IDX files, without gzip.
///
/// # Errors
/// Returns an error if a file cannot be written.
pub fn write_dataset(folder: &Path, train: &Dataset, held_out: &Dataset) -> io::Result<()> {
    let files = [
        train.to_idx_images(),
        train.to_idx_labels(),
        held_out.to_idx_images(),
        held_out.to_idx_labels(),
    ];
    for (name, content) in FILE_NAMES.iter().zip(files) {
        fs::write(folder.join(name), content)?;
    }
    Ok(())
}
