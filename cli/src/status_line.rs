//! The status line on standard error.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::streams;

/// Time between two lines if standard error is not a terminal.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// A status line, updated in place on a terminal and printed periodically elsewhere.
#[derive(Debug)]
pub struct StatusLine {
    bar: Option<ProgressBar>,
    logged: Option<Instant>,
}

impl Default for StatusLine {
    fn default() -> Self {
        let bar = streams::is_interactive().then(|| {
            let style = ProgressStyle::with_template("{spinner} {wide_msg}")
                .expect("the template is constant");
            ProgressBar::new_spinner().with_style(style)
        });
        Self { bar, logged: None }
    }
}

impl StatusLine {
    /// Shows a new text.
    pub fn update(&mut self, line: String) {
        match &self.bar {
            Some(bar) => {
                bar.set_message(line);
                bar.tick();
            }
            None if self
                .logged
                .is_none_or(|logged| logged.elapsed() >= LOG_INTERVAL) =>
            {
                streams::note(line);
                self.logged = Some(Instant::now());
            }
            None => {}
        }
    }

    /// Removes the status line and prints a last text.
    pub fn finish(&self, line: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        streams::note(line);
    }
}
