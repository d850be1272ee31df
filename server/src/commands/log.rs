//! The log of the program, on standard error: warnings, and whatever else `FARSIGN_LOG` asks for. docs/hosting.md lists
//! its events.

use std::io;

use anyhow::Context;
use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object a line, for programs; the live line is left out
    Json,
}

impl LogFormat {
    /// Begins to log.
    pub fn start(self) -> anyhow::Result<()> {
        let level = std::env::var("FARSIGN_LOG").unwrap_or_default();
        let level = if level.is_empty() { "warn" } else { &level };
        let filter = EnvFilter::try_new(level).with_context(|| {
            format!("FARSIGN_LOG: expected a level like info, or farsign_server=debug, found {level:?}")
        })?;
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
        match self {
            Self::Text => log.init(),
            Self::Json => {
                log.json().flatten_event(true).with_current_span(false).with_span_list(false).init();
            }
        }
        Ok(())
    }

    /// Says why the program fails: its last line, whatever the level.
    pub fn fail(self, error: &anyhow::Error) {
        match self {
            Self::Json if tracing::enabled!(tracing::Level::ERROR) => {
                tracing::error!(event = "failed", error = format!("{error:#}"), "the program failed");
            }
            _ => eprintln!("error: {error:#}"),
        }
    }
}
