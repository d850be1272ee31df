//! Waiting for a condition instead of sleeping.

use std::time::{Duration, Instant};

use serde_json::Value;

/// Time after which a test fails, far above the duration of any operation on a busy machine.
pub const TEST_TIMEOUT: Duration = Duration::from_mins(2);

/// Time between two polls of a condition.
pub const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Polls a server's status until it meets a condition, and returns it.
///
/// # Panics
/// If the condition is not met within [`TEST_TIMEOUT`]. The message names `what`.
pub fn wait_for(status: impl Fn() -> Value, what: &str, is_met: impl Fn(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let status = status();
        if is_met(&status) {
            return status;
        }
        assert!(
            started.elapsed() < TEST_TIMEOUT,
            "timed out waiting for {what}; status: {status:#}"
        );
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// Polls until there is a value, and returns it.
///
/// # Panics
/// If there is no value within [`TEST_TIMEOUT`]. The message names `what`.
pub fn wait_for_some<T>(what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = poll() {
            return value;
        }
        assert!(
            started.elapsed() < TEST_TIMEOUT,
            "timed out waiting for {what}"
        );
        std::thread::sleep(POLL_INTERVAL);
    }
}
