//! How the page is made: light, still, complete for whoever cannot see or use a mouse, and clear where it cannot run.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::page::{EMULATION, PRELOADED, Page, needs_chromium, test_page};

/// All that the page loads, packed, without the data.
const MOST_BYTES: usize = 300_000;

/// Files under `www/` that browsers load.
fn page_files(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("an entry").path());
    let loaded = ["html", "css", "js", "svg", "wasm"];
    let files = entries.flat_map(|path| if path.is_dir() { page_files(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|e| loaded.iter().any(|l| e == *l))).collect()
}

#[test]
fn the_first_load_is_light() {
    let www = Path::new(env!("CARGO_MANIFEST_DIR")).join("../www");
    let packed = |path: &PathBuf| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&fs::read(path).expect("a file of the page")).expect("memory takes it");
        encoder.finish().expect("memory takes it").len()
    };
    let files = page_files(&www);
    assert!(files.iter().any(|path| path.ends_with("pkg/farsign_worker_bg.wasm")), "{files:?}");
    let bytes: usize = files.iter().map(packed).sum();
    println!("{} files, {bytes} bytes packed", files.len());
    assert!(bytes < MOST_BYTES, "{bytes} bytes packed: {files:#?}");
}

/// Adds up what moves by itself, as browsers measure it.
pub const SHIFTS: &str = "
    return new Promise((done) => {
      let sum = 0;
      const add = (list) => list.forEach((shift) => { if (!shift.hadRecentInput) sum += shift.value; });
      const observer = new PerformanceObserver((list) => add(list.getEntries()));
      observer.observe({ type: 'layout-shift', buffered: true });
      requestAnimationFrame(() => setTimeout(() => { add(observer.takeRecords()); done(sum); }));
    })";

#[test]
fn nothing_jumps_while_numbers_come_in() {
    if needs_chromium("Firefox does not measure layout shifts") {
        return;
    }
    test_page(&[], async |page, _| {
        page.run("document.getElementById('start').scrollIntoView()").await;
        page.press("start").await;
        page.wait_until("progress", |facts| {
            facts.count("own-accepted") > 200.0 && facts.value("accuracy") > Some(0.8)
        })
        .await;
        let shifted = page.run(SHIFTS).await.as_f64().expect("a sum");
        assert!(shifted < 0.02, "layout shifts of {shifted}");
    });
}

/// What axe-core finds, as one line for each kind of violation.
async fn violations(page: &Page, axe: &str) -> Vec<String> {
    let found = page.run(&format!("{axe}; return axe.run().then(({{ violations }}) => violations)")).await;
    let line = |violation: &Value| {
        let nodes =
            violation["nodes"].as_array().into_iter().flatten().map(|node| node["target"].to_string());
        format!("{}: {} {:?}", violation["id"], violation["help"], nodes.collect::<Vec<_>>())
    };
    found.as_array().expect("a list").iter().map(line).collect()
}

/// The text of axe-core, which `cargo xtask test browser` fetches where npm is there, and names.
pub fn axe() -> Option<String> {
    let Some(path) = std::env::var_os("FARSIGN_AXE") else {
        println!("There is no axe-core (FARSIGN_AXE names none): accessibility is not checked.");
        return None;
    };
    Some(fs::read_to_string(path).expect("axe-core is there"))
}

/// What axe-core finds on a desk and on the smallest phone, in the light and in the dark. The phone is last.
pub async fn violations_everywhere(page: &Page, axe: &str) -> Vec<String> {
    let mut found = Vec::new();
    for scheme in ["light", "dark"] {
        let feature = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        page.devtool("Emulation.setEmulatedMedia", &feature);
        for width in [1280, 320] {
            let metrics = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
            page.devtool("Emulation.setDeviceMetricsOverride", &metrics);
            let here = violations(page, axe).await.into_iter();
            found.extend(here.map(|violation| format!("{scheme}, {width} pixels: {violation}")));
        }
    }
    found
}

#[test]
fn axe_finds_nothing_wrong() {
    if needs_chromium(EMULATION) {
        return;
    }
    let Some(axe) = axe() else { return };
    test_page(&["--model", "softmax"], async |page, _| {
        page.wait_for("idle").await;
        assert_eq!(violations_everywhere(page, &axe).await, Vec::<String>::new(), "ready");
        page.run("for (const part of document.querySelectorAll('details')) part.open = true").await;
        page.press("example").await;
        page.press("start").await;
        page.wait_for("working").await;
        page.wait_until_true("document.getElementById('guess').dataset.best !== ''").await;
        let found = violations(page, &axe).await;
        assert!(found.is_empty(), "working: {found:#?}");
    });
}

#[test]
fn nothing_is_wider_than_the_smallest_phone() {
    if needs_chromium(EMULATION) {
        return;
    }
    test_page(&[], async |page, _| {
        for width in [320, 390, 768, 1024, 1920] {
            let metrics = json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false });
            page.devtool("Emulation.setDeviceMetricsOverride", &metrics);
            let wide = page.run("return document.documentElement.scrollWidth").await;
            assert!(wide.as_u64() <= Some(width), "{wide} pixels on a screen of {width}");
        }
    });
}

#[test]
fn without_simd_it_says_so_and_offers_nothing() {
    if needs_chromium(PRELOADED) {
        return;
    }
    test_page(&[], async |page, _| {
        page.wait_for("idle").await;
        page.reload_with("WebAssembly.validate = () => false").await;
        page.wait_until_true("document.getElementById('status').dataset.state === 'unsupported'").await;
        let facts = page.facts().await;
        assert!(facts.text("detail").contains("WebAssembly SIMD"), "{facts:?}");
        assert!(facts.buttons().is_empty(), "{facts:?}");
    });
}

#[test]
fn where_nothing_may_be_kept_it_works_all_the_same() {
    if needs_chromium(PRELOADED) {
        return;
    }
    test_page(&["--model", "softmax"], async |page, _| {
        page.wait_for("idle").await;
        page.reload_with(
            "const refuse = { get() { throw new DOMException('no', 'SecurityError') } };
             Object.defineProperty(window, 'localStorage', refuse);
             Object.defineProperty(window, 'sessionStorage', refuse);",
        )
        .await;
        page.set_effort(50).await;
        page.press("start").await;
        page.wait_until("answers", |facts| facts.count("own-accepted") > 10.0).await;
    });
}

#[test]
fn the_details_name_the_code_that_runs() {
    test_page(&[], async |page, server| {
        page.wait_for("idle").await;
        page.run("document.getElementById('details').open = true").await;
        page.wait_until_true("document.getElementById('wasm-hash').textContent.length === 64").await;
        let url = format!("http://{}/pkg/farsign_worker_bg.wasm", server.address());
        let wasm =
            ureq::get(&url).call().expect("the server answers").body_mut().read_to_vec().expect("a body");
        let shown = page.text("wasm-hash").await;
        let byte = |at: usize| u8::from_str_radix(&shown[at..at + 2], 16).expect("hexadecimal digits");
        let shown: Vec<u8> = (0..64).step_by(2).map(byte).collect();
        assert_eq!(shown[..], Sha256::digest(&wasm)[..]);
        assert_eq!(page.text("version").await, format!("farsign-browser {}", env!("CARGO_PKG_VERSION")));
        assert!(page.text("log").await.contains("Ready."));
    });
}

/// The toy says what the text beside it says.
#[test]
fn in_the_toy_liars_win_against_averages_and_a_minority_loses_against_signs() {
    test_page(&[], async |page, _| {
        page.wait_for("idle").await;
        let remaining = page
            .run(
                "return import('./toy.js').then(({ simulate, remaining }) =>
                   [0, 6, 12].map((liars) => [1, 2, 3, 4, 5, 6, 7, 8].map((seed) => {
                     const last = simulate({ liars, seed }).at(-1);
                     return [remaining(last.averaging), remaining(last.signs)];
                   })))",
            )
            .await;
        let all = |liars: usize, way: usize, met: fn(f64) -> bool| {
            let runs = remaining[liars].as_array().expect("runs");
            assert_eq!(runs.len(), 8);
            runs.iter().all(|run| met(run[way].as_f64().expect("a number")))
        };
        assert!(all(0, 0, |left| left < 0.2) && all(0, 1, |left| left < 0.2), "without liars: {remaining}");
        assert!(all(1, 0, |left| left > 10.0), "six liars against averages: {remaining}");
        assert!(all(1, 1, |left| left < 0.2), "six liars against signs: {remaining}");
        assert!(all(2, 1, |left| left > 1.0), "a majority of liars: {remaining}");
    });
}
