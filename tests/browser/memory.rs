//! Memory of a worker over thousands of tasks.

use crate::page::{needs_chromium, test_page};

/// Tasks after which all buffers are allocated.
const WARM_TASKS: f64 = 500.0;
/// Tasks at the second measurement.
const TASKS: f64 = 5_000.0;
/// Above the noise of two measurements, and below a leak of 8 bytes a task.
const HEAP_TOLERANCE_BYTES: u64 = 32 * 1024;

#[test]
fn worker_memory_is_flat() {
    if needs_chromium("only Chromium exposes the heap of a worker") {
        return;
    }
    let arguments = [
        "--model",
        "softmax",
        "--batch",
        "16",
        "--schedule",
        "constant",
    ];
    test_page(&arguments, async |page, _| {
        page.start_at_full_effort().await;
        page.wait_until("the first tasks", |state| {
            state.count("own-accepted") >= WARM_TASKS
        })
        .await;
        let mut devtools = page.devtools().await;
        let before = devtools.memory().await;
        page.wait_until("thousands of tasks", |state| {
            state.count("own-accepted") >= TASKS
        })
        .await;
        let after = devtools.memory().await;
        assert_eq!(
            after.wasm_bytes, before.wasm_bytes,
            "the Wasm memory has grown"
        );
        let max = before.heap_bytes + HEAP_TOLERANCE_BYTES;
        assert!(
            after.heap_bytes <= max,
            "the heap has grown: {before:?}, {after:?}"
        );
    });
}
