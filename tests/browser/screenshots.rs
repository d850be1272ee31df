//! A tool that takes screenshots of all pages: `cargo xtask screenshots`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use farsign_tests::load_clients::LoadClients;
use serde_json::json;

use crate::page::{Page, test_page};
use crate::{compare, dashboard};

/// Width and height of the window, and the name in file names.
const SCREENS: [(u32, u32, &str); 4] = [
    (320, 640, "phone-320"),
    (390, 844, "phone-390"),
    (820, 1180, "tablet"),
    (1366, 768, "desktop"),
];

async fn take_all(page: &Page, folder: &Path, state: &str) {
    for scheme in ["light", "dark"] {
        let feature = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        page.devtool("Emulation.setEmulatedMedia", &feature);
        for (width, height, name) in SCREENS {
            resize(page, width, height).await;
            // The window grows to the height of the whole page.
            let height = page
                .run("return document.documentElement.scrollHeight")
                .await;
            resize(
                page,
                width,
                height.as_u64().map_or(0, |height| height as u32),
            )
            .await;
            let path = folder.join(format!("{state}-{name}-{scheme}.png"));
            std::fs::write(&path, page.screenshot().await).expect("a writable folder");
            println!("{}", path.display());
        }
    }
}

async fn resize(page: &Page, width: u32, height: u32) {
    let metrics =
        json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
    page.devtool("Emulation.setDeviceMetricsOverride", &metrics);
    page.run("return new Promise((done) => requestAnimationFrame(() => setTimeout(done, 100)))")
        .await;
}

#[test]
#[ignore = "a tool; `cargo xtask screenshots` runs it"]
fn screenshots() {
    let folder = std::env::var_os("FARSIGN_SCREENSHOTS")
        .map(PathBuf::from)
        .expect("FARSIGN_SCREENSHOTS names a folder");
    std::fs::create_dir_all(&folder).expect("a new folder");
    let csv_folder = tempfile::tempdir().expect("a folder");
    test_page(&[], async |page, server| {
        page.wait_for("idle").await;
        take_all(page, &folder, "idle").await;
        page.press("start").await;
        page.press("example").await;
        page.set("name", "value = 'Ada'", "input").await;
        page.run("document.getElementById('name-form').requestSubmit()")
            .await;
        page.set("demo-attack", "checked = true", "change").await;
        page.run("document.getElementById('demo').scrollIntoView()")
            .await;
        page.wait_until_true("document.getElementById('demo-signs').dataset.remaining !== ''")
            .await;
        page.wait_until("an accuracy of 90 %", |state| {
            state.value("accuracy") > Some(0.9)
        })
        .await;
        page.wait_until_true("document.getElementById('leaders').textContent.includes('Ada')")
            .await;
        page.run("scrollTo(0, 0)").await;
        take_all(page, &folder, "working").await;
        page.press("stop").await;
        page.wait_for("stopped").await;
        page.reload().await;
        compare::open(page, server, "").await;
        take_all(page, &folder, "compare-empty").await;
        let files = [
            compare::lab_file(&csv_folder),
            compare::history_file(&csv_folder),
        ];
        page.choose_files("choose", &files).await;
        page.wait_until_true("!document.getElementById('results').hidden")
            .await;
        take_all(page, &folder, "compare").await;
    });
    test_page(&dashboard::ARGUMENTS, async |page, server| {
        let _clients = LoadClients::join(server.address(), 24, Duration::from_millis(300));
        dashboard::open(page, server, None).await;
        take_all(page, &folder, "dashboard-public").await;
        dashboard::sign_in(page, dashboard::TOKEN).await;
        dashboard::wait_for_rows(page, 24).await;
        dashboard::act(page, 3, "eject", "yes").await;
        page.wait_until_true(
            "document.getElementById('ejections').textContent.includes('operator')",
        )
        .await;
        take_all(page, &folder, "dashboard").await;
    });
}
