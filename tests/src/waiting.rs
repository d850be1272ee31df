//! Waiting for a condition instead of for a time.

use std::time::{Duration, Instant};

use serde_json::Value;

/// What does not come about within this time never will; far above what anything takes on a busy machine.
pub const FAILURE_BOUND: Duration = Duration::from_mins(2);

/// Time between two looks at something that is waited for.
pub const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Waits until a server's status meets a condition, and gives it.
pub fn until(status: impl Fn() -> Value, what: &str, met: impl Fn(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let status = status();
        if met(&status) {
            return status;
        }
        assert!(started.elapsed() < FAILURE_BOUND, "{what} did not come about; status: {status:#}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Waits until there is something, and gives it.
pub fn until_some<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < FAILURE_BOUND, "{what} did not come about");
        std::thread::sleep(LOOK_EVERY);
    }
}
