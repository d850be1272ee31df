//! A line that lives: rewritten in a terminal, repeated now and then in a log.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Time between lines where they cannot be rewritten.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// A status line on standard error.
#[derive(Debug)]
pub struct LiveLine {
    bar: Option<ProgressBar>,
    logged: Option<Instant>,
}

impl Default for LiveLine {
    fn default() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style =
                ProgressStyle::with_template("{spinner} {wide_msg}").expect("the template is constant");
            ProgressBar::new_spinner().with_style(style)
        });
        Self { bar, logged: None }
    }
}

impl LiveLine {
    /// Shows a new state of the line.
    pub fn show(&mut self, line: String) {
        match &self.bar {
            Some(bar) => {
                bar.set_message(line);
                bar.tick();
            }
            None if self.logged.is_none_or(|logged| logged.elapsed() >= LOG_EVERY) => {
                eprintln!("{line}");
                self.logged = Some(Instant::now());
            }
            None => {}
        }
    }

    /// Prints a line that stays, above the live one.
    pub fn print(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => eprintln!("{line}"),
        }
    }

    /// Ends the live line with a last state that stays.
    pub fn finish(&self, line: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        eprintln!("{line}");
    }
}
