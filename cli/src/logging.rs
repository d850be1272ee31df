//! The log of the program on standard error. docs/reference/log-events.md lists its events.

use std::env::VarError;
use std::io;

use anyhow::{Context, bail};
use clap::ValueEnum;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::failure::describe;
use crate::streams;

/// The format of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Readable lines
    #[default]
    Text,
    /// One JSON object per line, without the status line
    Json,
}

impl LogFormat {
    /// Starts the log at the level of the environment variable `FARSIGN_LOG`, by default warnings.
    ///
    /// # Errors
    /// Returns an error if the level is invalid.
    pub fn init(self) -> anyhow::Result<()> {
        let level = match std::env::var("FARSIGN_LOG") {
            Ok(level) if !level.is_empty() => level,
            Ok(_) | Err(VarError::NotPresent) => "warn".to_owned(),
            Err(VarError::NotUnicode(found)) => {
                bail!(
                    "FARSIGN_LOG: expected text in UTF-8, found {}",
                    found.display()
                )
            }
        };
        let filter: Targets = level.parse().with_context(|| {
            format!(
                "FARSIGN_LOG: expected a level like info, or farsign_server=debug, found {level:?}"
            )
        })?;
        let log = tracing_subscriber::fmt::layer()
            .with_writer(io::stderr)
            .with_ansi(streams::has_colors());
        let registry = tracing_subscriber::registry().with(filter);
        match self {
            Self::Text => registry.with(log).init(),
            Self::Json => {
                let log = log
                    .json()
                    .flatten_event(true)
                    .with_current_span(false)
                    .with_span_list(false);
                registry.with(log).init();
            }
        }
        Ok(())
    }

    /// Writes the error that ends the program, at any level.
    pub fn report_failure(self, error: &anyhow::Error) {
        match self {
            Self::Json if tracing::enabled!(tracing::Level::ERROR) => {
                tracing::error!(event = "failed", error = describe(error), "program failed");
            }
            _ => streams::note(format_args!("error: {}", describe(error))),
        }
    }
}
