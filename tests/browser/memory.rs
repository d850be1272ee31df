//! Memory of a worker: over thousands of tasks, and when there is too little.

use std::time::Instant;

use farsign_tests::wait::{POLL_INTERVAL, TEST_TIMEOUT};

use crate::cores::{choose_cores, wait_for_cores, wait_for_updates};
use crate::devtools::{DevTools, Memory, Script};
use crate::page::{PRELOADED, console_messages_in_chromium_with, needs_chromium, test_page};

/// Tasks between two measurements.
const TASKS: f64 = 4_500.0;
/// Above the noise of two measurements, and below a leak of 8 bytes a task.
const HEAP_TOLERANCE_BYTES: u64 = 32 * 1024;
/// Measurements until the memory must be flat: a busy machine may receive larger tasks, whose buffers are allocated once.
const MAX_MEASUREMENTS: usize = 6;

/// Returns the memory of the data worker and of the training workers.
async fn memory_of_all(devtools: &mut DevTools) -> Vec<Memory> {
    let mut memory = devtools.memory(Script::Data).await;
    memory.extend(devtools.memory(Script::Training).await);
    memory
}

/// Returns whether no worker uses more memory than before.
fn is_flat(before: &[Memory], after: &[Memory]) -> bool {
    before.len() == after.len()
        && before.iter().zip(after).all(|(before, after)| {
            after.wasm_bytes == before.wasm_bytes
                && after.heap_bytes <= before.heap_bytes + HEAP_TOLERANCE_BYTES
        })
}

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
        let mut devtools = page.devtools(1).await;
        let mut measured: Vec<Vec<Memory>> = Vec::new();
        while measured.len() < 2
            || !is_flat(&measured[measured.len() - 2], &measured[measured.len() - 1])
        {
            assert!(
                measured.len() < MAX_MEASUREMENTS,
                "the memory grows: {measured:#?}"
            );
            wait_for_updates(page, TASKS).await;
            measured.push(memory_of_all(&mut devtools).await);
        }
    });
}

#[test]
fn only_data_worker_holds_images() {
    if needs_chromium(PRELOADED) {
        return;
    }
    let arguments = ["--model", "softmax", "--schedule", "constant"];
    test_page(&arguments, async |page, server| {
        choose_cores(page, 3).await;
        page.set("line-budget", "selectedIndex = 8", "change").await;
        page.start_at_full_effort().await;
        wait_for_cores(server, 3);
        let list = server.get_json("/api/v1/data/shards", "");
        let pixels = list["images"].as_u64().expect("a number of images") * 28 * 28;
        let mut devtools = page.devtools(3).await;
        let started = Instant::now();
        while devtools.memory(Script::Data).await[0].wasm_bytes < pixels {
            assert!(
                started.elapsed() < TEST_TIMEOUT,
                "timed out waiting for all shards"
            );
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        wait_for_updates(page, 301.0).await;
        let training = devtools.memory(Script::Training).await;
        assert_eq!(training.len(), 3);
        for memory in training {
            assert!(memory.wasm_bytes < pixels, "{memory:?} of {pixels} bytes");
        }
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
