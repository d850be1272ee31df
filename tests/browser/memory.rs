//! Memory of a worker: over thousands of tasks, and when there is too little.

use crate::page::{console_messages_in_chromium_with, needs_chromium, test_page};

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

/// Enough pages of 64 KiB for the training code, and too few for the training images.
const LITTLE_MEMORY: [&str; 1] = ["--js-flags=--wasm-max-mem-pages=64"];

#[test]
fn little_memory_is_reported() {
    if needs_chromium("only Chromium can limit the memory of WebAssembly") {
        return;
    }
    let messages = console_messages_in_chromium_with(&LITTLE_MEMORY, &[], async |page, server| {
        for _ in 0..2 {
            page.press("start").await;
            let state = page.wait_for("out-of-memory").await;
            let detail = state.text("detail");
            assert!(detail.contains("not enough free memory"), "{state:?}");
            assert_eq!(state.buttons(), ["start"]);
        }
        assert_eq!(server.status()["volunteers"]["connected"], 0);
    });
    let others: Vec<_> = messages
        .iter()
        .filter(|message| !message.text.contains("unreachable"))
        .collect();
    assert!(others.is_empty(), "{others:#?}");
}
