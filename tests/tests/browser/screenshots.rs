//! Pictures of the page, for whoever changes it: `cargo xtask screenshots`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use farsign_tests::crowd::Crowd;
use serde_json::json;

use crate::page::{Page, test_page};
use crate::{compare, dashboard};

/// Widths in pixels, heights of the window, and what to call them.
const SCREENS: [(u32, u32, &str); 4] =
    [(320, 640, "phone-320"), (390, 844, "phone-390"), (820, 1180, "tablet"), (1366, 768, "desktop")];

async fn take_all(page: &Page, folder: &Path, what: &str) {
    for scheme in ["light", "dark"] {
        let feature = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        page.devtool("Emulation.setEmulatedMedia", &feature);
        for (width, height, name) in SCREENS {
            resize(page, width, height).await;
            // The whole page, in a window of its height.
            let height = page.run("return document.documentElement.scrollHeight").await;
            resize(page, width, height.as_u64().map_or(0, |height| height as u32)).await;
            let path = folder.join(format!("{what}-{name}-{scheme}.png"));
            std::fs::write(&path, page.picture().await).expect("the folder can be written to");
            println!("{}", path.display());
        }
    }
}

async fn resize(page: &Page, width: u32, height: u32) {
    let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
    page.devtool("Emulation.setDeviceMetricsOverride", &metrics);
    page.run("return new Promise((done) => requestAnimationFrame(() => setTimeout(done, 100)))").await;
}

#[test]
#[ignore = "makes pictures; `cargo xtask screenshots` runs it"]
fn screenshots() {
    let folder =
        std::env::var_os("FARSIGN_SCREENSHOTS").map(PathBuf::from).expect("a folder for the pictures");
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let files = tempfile::tempdir().expect("a folder");
    test_page(&[], async |page, server| {
        page.wait_for("idle").await;
        take_all(page, &folder, "ready").await;
        page.press("start").await;
        page.press("example").await;
        page.set("name", "value = 'Ada'", "input").await;
        page.run("document.getElementById('name-form').requestSubmit()").await;
        page.set("toy-attack", "checked = true", "change").await;
        page.run("document.getElementById('toy').scrollIntoView()").await;
        page.wait_until_true("document.getElementById('toy-signs').dataset.remaining !== ''").await;
        page.wait_until("the model learns", |facts| facts.value("accuracy") > Some(0.9)).await;
        page.wait_until_true("document.getElementById('leaders').textContent.includes('Ada')").await;
        page.run("scrollTo(0, 0)").await;
        take_all(page, &folder, "working").await;
        page.press("stop").await;
        page.wait_for("stopped").await;
        page.reload().await;
        compare::open(page, server, "").await;
        take_all(page, &folder, "compare-empty").await;
        let chosen = [compare::lab_file(&files), compare::history_file(&files)];
        page.choose_files("choose", &chosen).await;
        page.wait_until_true("!document.getElementById('ends').hidden").await;
        take_all(page, &folder, "compare").await;
    });
    test_page(&dashboard::WITH_TOKEN, async |page, server| {
        let _crowd = Crowd::join(server.address(), 24, Duration::from_millis(300));
        dashboard::open(page, server, None).await;
        take_all(page, &folder, "dashboard-public").await;
        dashboard::give_token(page, dashboard::TOKEN).await;
        page.wait_until_true("document.querySelectorAll('#table tbody tr').length === 24").await;
        dashboard::act(page, 3, "kick", "yes").await;
        page.wait_until_true("document.getElementById('removals').textContent.includes('Kicked')").await;
        take_all(page, &folder, "dashboard").await;
    });
}
