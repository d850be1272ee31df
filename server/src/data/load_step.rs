//! Steps of loading data, for display.

use std::fmt;

/// A step of loading one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadStep {
    /// Kind of the step.
    pub action: LoadAction,
    /// Name of the file.
    pub file: String,
    /// Bytes that are done.
    pub done_bytes: u64,
    /// Bytes of the whole step.
    pub total_bytes: u64,
}

/// A kind of step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadAction {
    /// Reads a file from the disk.
    Read,
    /// Unpacks and validates a pair of files, named by the images.
    Unpack,
    /// Packs the shards with gzip for volunteers.
    Pack,
}

impl fmt::Display for LoadStep {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            action,
            file,
            done_bytes,
            total_bytes,
        } = self;
        let (verb, purpose) = match action {
            LoadAction::Read => ("Reading", ""),
            LoadAction::Unpack => ("Unpacking", ""),
            LoadAction::Pack => ("Packing", " for volunteers"),
        };
        let [done, total] = [done_bytes, total_bytes].map(|bytes| bytes / 1_000_000);
        write!(formatter, "{verb} {file}{purpose}: {done} of {total} MB")
    }
}
