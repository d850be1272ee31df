//! Loads data, with progress on standard error and in the log.

use std::time::{Duration, Instant};

use farsign::dataset::hexadecimal;
use farsign_server::data::load_step::LoadStep;
use farsign_server::data::loader::{self, DataSource, LARGE_DATA_BYTES, TrainAndHeldOut};

use crate::logging::LogFormat;
use crate::status_line::StatusLine;

/// Size of a file from which on loading it is shown.
const SHOWN_FILE_BYTES: u64 = 100_000_000;

/// Data with the time that loading it took.
pub struct LoadedData {
    pub data: TrainAndHeldOut,
    pub took: Duration,
}

/// Loads data, shows the progress of large files, and logs what the operator should know about the data.
///
/// # Errors
/// Returns an error if a file is missing, unreadable or invalid.
pub fn load(source: &DataSource, format: LogFormat) -> anyhow::Result<LoadedData> {
    let mut progress = LoadProgress::new(format);
    let data = loader::load(source, &mut |step| progress.show(&step))?;
    let took = progress.finish(&format!("Loaded {}", data.name));
    log(&data, took);
    Ok(LoadedData { data, took })
}

/// Loads data for a server: as [`load`], and packs the shards that volunteers download.
///
/// # Errors
/// Returns an error if a file is missing, unreadable or invalid.
pub fn load_for_volunteers(source: &DataSource, format: LogFormat) -> anyhow::Result<LoadedData> {
    let mut loaded = load(source, format)?;
    let shards = &loaded.data.shards;
    let mut progress = LoadProgress::new(format);
    shards.pack(&mut |step| progress.show(&step));
    let took = progress.finish(&format!("Packed {}", loaded.data.name));
    tracing::info!(
        event = "data_packed",
        shards = shards.data().list().shards(),
        digest = hexadecimal(shards.data().digest()),
        download_bytes = shards.packed_bytes(),
        took_ms = took.as_millis() as u64,
        "training data packed"
    );
    loaded.took += took;
    Ok(loaded)
}

/// The progress of loading large data, in the log and on standard error.
struct LoadProgress {
    format: LogFormat,
    started: Instant,
    /// `None` before the first step of a large file.
    status_line: Option<StatusLine>,
}

impl LoadProgress {
    fn new(format: LogFormat) -> Self {
        Self {
            format,
            started: Instant::now(),
            status_line: None,
        }
    }

    fn show(&mut self, step: &LoadStep) {
        tracing::debug!(event = "data_loading", step = %step, "training data loading");
        if self.format == LogFormat::Text && step.total_bytes >= SHOWN_FILE_BYTES {
            self.status_line
                .get_or_insert_with(StatusLine::default)
                .update(step.to_string());
        }
    }

    /// Ends the line with what was done, and returns the time that it took.
    fn finish(self, done: &str) -> Duration {
        let took = self.started.elapsed();
        if let Some(status_line) = self.status_line {
            status_line.finish(&format!("{done} in {:.0} s", took.as_secs_f64()));
        }
        took
    }
}

fn log(data: &TrainAndHeldOut, took: Duration) {
    tracing::info!(
        event = "data_loaded",
        name = data.name,
        train_images = data.train.len(),
        held_out_images = data.held_out.len(),
        classes = data.train.classes(),
        digest = hexadecimal(data.train.digest()),
        worker_memory_bytes = data.worker_memory_bytes(),
        took_ms = took.as_millis() as u64,
        "training data loaded"
    );
    if data.worker_memory_bytes() >= LARGE_DATA_BYTES {
        tracing::warn!(
            event = "large_worker_memory",
            worker_memory_bytes = data.worker_memory_bytes(),
            "workers need much memory"
        );
    }
    for note in &data.notes {
        tracing::warn!(event = "data_noted", note, "training data is unusual");
    }
}
