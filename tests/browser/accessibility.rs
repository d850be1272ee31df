//! Accessibility of all pages by axe-core, on desktops and phones, with light and dark colours.

use std::fs;
use std::time::Duration;

use farsign_tests::load_clients::LoadClients;
use serde_json::{Value, json};

use crate::page::{EMULATION, Page, needs_chromium, test_page};
use crate::{compare, dashboard};

/// Loads axe-core, which `cargo xtask test browser` installs if npm is available; returns `None` without it.
fn load_axe() -> Option<String> {
    let Some(path) = std::env::var_os("FARSIGN_AXE") else {
        println!("SKIPPED: FARSIGN_AXE is not set, so accessibility is not tested.");
        return None;
    };
    Some(fs::read_to_string(path).expect("axe-core is readable"))
}

/// Returns the violations that axe-core finds, one line for each rule.
async fn violations(page: &Page, axe: &str) -> Vec<String> {
    let found = page
        .run(&format!(
            "{axe}; return axe.run().then(({{ violations }}) => violations)"
        ))
        .await;
    let line = |violation: &Value| {
        let nodes = violation["nodes"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|node| node["target"].to_string());
        format!(
            "{}: {} {:?}",
            violation["id"],
            violation["help"],
            nodes.collect::<Vec<_>>()
        )
    };
    found.as_array().expect("a list").iter().map(line).collect()
}

/// Returns the violations on a desktop and on the smallest phone, in both colour schemes. The phone is last.
async fn violations_on_all_screens(page: &Page, axe: &str) -> Vec<String> {
    let mut found = Vec::new();
    for scheme in ["light", "dark"] {
        let feature = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        page.devtool("Emulation.setEmulatedMedia", &feature);
        for width in [1280, 320] {
            let metrics =
                json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
            page.devtool("Emulation.setDeviceMetricsOverride", &metrics);
            let here = violations(page, axe).await.into_iter();
            found.extend(here.map(|violation| format!("{scheme}, {width} pixels: {violation}")));
        }
    }
    found
}

/// Expects no violations on any screen, and a page that fits the smallest phone.
async fn expect_accessible(page: &Page, axe: &str, state: &str) {
    assert_eq!(
        violations_on_all_screens(page, axe).await,
        Vec::<String>::new(),
        "{state}"
    );
    let width = page
        .run("return document.documentElement.scrollWidth")
        .await;
    assert!(
        width.as_u64() <= Some(320),
        "{state}: {width} pixels on a screen of 320"
    );
}

#[test]
fn volunteer_page_is_accessible() {
    if needs_chromium(EMULATION) {
        return;
    }
    let Some(axe) = load_axe() else { return };
    test_page(&["--model", "softmax"], async |page, _| {
        page.wait_for("idle").await;
        assert_eq!(
            violations_on_all_screens(page, &axe).await,
            Vec::<String>::new(),
            "idle"
        );
        page.run("for (const part of document.querySelectorAll('details')) part.open = true")
            .await;
        page.press("example").await;
        page.press("start").await;
        page.wait_for("working").await;
        page.wait_until_true("document.getElementById('prediction').dataset.best !== ''")
            .await;
        let found = violations(page, &axe).await;
        assert!(found.is_empty(), "working: {found:#?}");
    });
}

#[test]
fn dashboard_is_accessible() {
    if needs_chromium(EMULATION) {
        return;
    }
    let Some(axe) = load_axe() else { return };
    test_page(&dashboard::ARGUMENTS, async |page, server| {
        dashboard::open(page, server, None).await;
        expect_accessible(page, &axe, "signed out").await;
        let _clients = LoadClients::join(server.address(), 20, Duration::from_millis(100));
        dashboard::sign_in(page, dashboard::TOKEN).await;
        dashboard::wait_for_rows(page, 20).await;
        expect_accessible(page, &axe, "signed in").await;
    });
}

#[test]
fn compare_page_is_accessible() {
    if needs_chromium(EMULATION) {
        return;
    }
    let Some(axe) = load_axe() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let files = [
        compare::lab_file(&folder),
        compare::history_file(&folder),
        compare::write_file(&folder, "words.csv", "Dear diary\n"),
    ];
    test_page(&["--model", "softmax"], async |page, server| {
        compare::open(page, server, "").await;
        expect_accessible(page, &axe, "without files").await;
        page.choose_files("choose", &files).await;
        compare::wait_for_message(page, "Opened").await;
        expect_accessible(page, &axe, "with files").await;
    });
}
