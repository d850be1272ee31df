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
    let started = Instant::now();
    let mut status_line = None;
    let mut show = |step: LoadStep| {
        tracing::debug!(event = "data_loading", step = %step, "training data loading");
        if format == LogFormat::Text && step.total_bytes >= SHOWN_FILE_BYTES {
            status_line
                .get_or_insert_with(StatusLine::default)
                .update(step.to_string());
        }
    };
    let data = loader::load(source, &mut show)?;
    let took = started.elapsed();
    if let Some(status_line) = status_line {
        status_line.finish(&format!(
            "Loaded {} in {:.0} s",
            data.name,
            took.as_secs_f64()
        ));
    }
    log(&data, took);
    Ok(LoadedData { data, took })
}

fn log(data: &TrainAndHeldOut, took: Duration) {
    tracing::info!(
        event = "data_loaded",
        name = data.name,
        train_images = data.train.len(),
        held_out_images = data.held_out.len(),
        classes = data.train.classes(),
        digest = hexadecimal(data.train.digest()),
        download_bytes = data.download_bytes(),
        worker_memory_bytes = data.worker_memory_bytes(),
        took_ms = took.as_millis() as u64,
        "training data loaded"
    );
    if data.worker_memory_bytes() >= LARGE_DATA_BYTES {
        tracing::warn!(
            event = "large_worker_memory",
            download_bytes = data.download_bytes(),
            worker_memory_bytes = data.worker_memory_bytes(),
            "workers need much memory"
        );
    }
    for note in &data.notes {
        tracing::warn!(event = "data_noted", note, "training data is unusual");
    }
}
