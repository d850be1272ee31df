//! Events for the page. The page's scripts declare the same messages.

use serde::Serialize;
use wasm_bindgen::JsValue;

use crate::line::LineReport;

/// A message to the page.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum WorkerEvent<'a> {
    /// The volunteer's new state.
    State {
        state: State,
        /// The cause, as a sentence.
        reason: Option<&'a str>,
        /// The time until the next attempt, with [`State::Reconnecting`], [`State::TooSlow`], [`State::Resting`] and
        /// [`State::LineBudgetUsed`].
        retry_in_ms: Option<u32>,
    },
    /// Counters since the start of the worker.
    Progress(&'a Progress),
    /// Bytes for the page to count in the line budget of the browser. The page replies to a lease with the bytes of all
    /// tabs.
    Line(LineReport),
}

/// The state of a volunteer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    LoadingData,
    Connecting,
    Working,
    /// Without a session, because the rest after an update is longer than a task may stay open.
    Resting,
    /// Without a session, until the line budget allows another.
    LineBudgetUsed,
    Paused,
    Reconnecting,
    /// Reconnecting after a long delay, because tasks timed out.
    TooSlow,
    Stopped,
    Finished,
    Ejected,
    OutOfMemory,
    Failed,
}

/// Counters. Whole numbers are floats because JavaScript has no other numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Progress {
    pub updates_sent: f64,
    pub accepted: f64,
    pub rejected: f64,
    pub bytes_sent: f64,
    pub bytes_received: f64,
    /// Moving average of the time to compute an update.
    pub compute_ms: f64,
    /// Busy time of a core, including an estimate of the browser's overhead.
    pub busy_ms: f64,
    /// Number of the newest version.
    pub version: f64,
}

impl Progress {
    /// Records an update of `bytes` that took `ms` to compute.
    pub fn record_update(&mut self, bytes: usize, ms: f64) {
        const EMA_RATE: f64 = 0.05;
        let is_first = self.updates_sent == 0.0;
        self.compute_ms = if is_first {
            ms
        } else {
            self.compute_ms + EMA_RATE * (ms - self.compute_ms)
        };
        self.updates_sent += 1.0;
        self.bytes_sent += bytes as f64;
    }
}

impl WorkerEvent<'_> {
    /// Returns the event as a plain JavaScript object.
    pub fn to_js(&self) -> JsValue {
        serde_wasm_bindgen::to_value(self).expect("an event has strings and numbers only")
    }
}
