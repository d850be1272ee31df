//! What the page is told. The page's own modules describe the same messages.

use serde::Serialize;
use wasm_bindgen::JsValue;

/// A message to the page.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Report<'a> {
    /// What the volunteer is doing now.
    State {
        state: State,
        /// Why, as a sentence.
        reason: Option<&'a str>,
        /// With [`State::Reconnecting`]: how long until then.
        retry_in_ms: Option<u32>,
    },
    /// Counters since the worker was made.
    Progress(&'a Progress),
}

/// What a volunteer may be doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    LoadingData,
    Connecting,
    Working,
    Paused,
    Reconnecting,
    Stopped,
    Finished,
    Removed,
    Failed,
}

/// Counters. Whole numbers, kept as floats because that is what JavaScript has.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Progress {
    pub answered: f64,
    pub accepted: f64,
    pub rejected: f64,
    pub bytes_sent: f64,
    pub bytes_received: f64,
    /// Time an answer takes to compute, a running mean.
    pub compute_ms: f64,
    /// Time of a core that all of it took, what the browser does beside included by an estimate.
    pub busy_ms: f64,
    /// Version of the snapshot worked on.
    pub version: f64,
}

impl Progress {
    /// An answer of `bytes` went out after `ms` of computing.
    pub fn answered(&mut self, bytes: usize, ms: f64) {
        const NEWEST: f64 = 0.05;
        let first = self.answered == 0.0;
        self.compute_ms = if first { ms } else { self.compute_ms + NEWEST * (ms - self.compute_ms) };
        self.answered += 1.0;
        self.bytes_sent += bytes as f64;
    }
}

impl Report<'_> {
    /// The report as a plain JavaScript object.
    pub fn to_js(&self) -> JsValue {
        serde_wasm_bindgen::to_value(self).expect("a report is strings and numbers")
    }
}
