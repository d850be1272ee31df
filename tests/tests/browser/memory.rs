//! A tab that works for days needs no more memory than one that has just begun.

use crate::page::{needs_chromium, test_page};

/// Tasks after which all buffers are made.
const WARM: f64 = 500.0;
/// Tasks at the second look.
const TASKS: f64 = 5_000.0;
/// More than two looks ever differ by; a leak of 8 bytes a task is more still.
const HEAP_SLACK_BYTES: u64 = 32 * 1024;

#[test]
fn a_workers_memory_is_flat_over_thousands_of_tasks() {
    if needs_chromium("only Chromium shows a worker's heap") {
        return;
    }
    let arguments = ["--model", "softmax", "--batch", "16", "--schedule", "constant"];
    test_page(&arguments, async |page, _| {
        page.start_at_full_effort().await;
        page.wait_until("the first tasks", |facts| facts.count("own-accepted") >= WARM).await;
        let mut devtools = page.devtools().await;
        let before = devtools.memory().await;
        page.wait_until("thousands of tasks", |facts| facts.count("own-accepted") >= TASKS).await;
        let after = devtools.memory().await;
        assert_eq!(after.wasm_bytes, before.wasm_bytes, "the Wasm memory has grown");
        let most = before.heap_bytes + HEAP_SLACK_BYTES;
        assert!(after.heap_bytes <= most, "the heap has grown: {before:?}, {after:?}");
    });
}
