//! The layout: no shifts while values change, and no horizontal scrolling on small screens.

use std::time::Duration;

use farsign_tests::load_clients::LoadClients;
use serde_json::json;

use crate::page::{EMULATION, Page, needs_chromium, test_page};
use crate::{compare, dashboard};

const LAYOUT_SHIFT: &str = "Firefox does not measure layout shifts";

/// Returns the sum of the layout shifts that no input caused, as browsers measure it.
async fn layout_shift(page: &Page) -> f64 {
    const SCRIPT: &str = "
        return new Promise((done) => {
          let sum = 0;
          const add = (list) => list.forEach((shift) => { if (!shift.hadRecentInput) sum += shift.value; });
          const observer = new PerformanceObserver((list) => add(list.getEntries()));
          observer.observe({ type: 'layout-shift', buffered: true });
          requestAnimationFrame(() => setTimeout(() => { add(observer.takeRecords()); done(sum); }));
        })";
    page.run(SCRIPT).await.as_f64().expect("a sum")
}

#[test]
fn volunteer_page_layout_is_stable() {
    if needs_chromium(LAYOUT_SHIFT) {
        return;
    }
    test_page(&[], async |page, _| {
        page.run("document.getElementById('start').scrollIntoView()")
            .await;
        page.press("start").await;
        page.wait_until("progress", |state| {
            state.count("own-accepted") > 200.0 && state.value("accuracy") > Some(0.8)
        })
        .await;
        let shift = layout_shift(page).await;
        assert!(shift < 0.02, "a layout shift of {shift}");
    });
}

#[test]
fn dashboard_layout_is_stable() {
    if needs_chromium(LAYOUT_SHIFT) {
        return;
    }
    test_page(&dashboard::ARGUMENTS, async |page, server| {
        dashboard::open(page, server, None).await;
        let _clients = LoadClients::join(server.address(), 20, Duration::from_millis(100));
        dashboard::sign_in(page, dashboard::TOKEN).await;
        dashboard::wait_for_rows(page, 20).await;
        let shift = layout_shift(page).await;
        assert!(shift < 0.1, "a layout shift of {shift}");
    });
}

#[test]
fn compare_page_layout_is_stable() {
    if needs_chromium(LAYOUT_SHIFT) {
        return;
    }
    test_page(&["--model", "softmax"], async |page, server| {
        compare::open(page, server, "").await;
        let shift = layout_shift(page).await;
        assert!(shift < 0.02, "a layout shift of {shift}");
    });
}

#[test]
fn volunteer_page_fits_all_screens() {
    if needs_chromium(EMULATION) {
        return;
    }
    test_page(&[], async |page, _| {
        for width in [320, 390, 768, 1024, 1920] {
            let metrics =
                json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false });
            page.devtool("Emulation.setDeviceMetricsOverride", &metrics);
            let content = page
                .run("return document.documentElement.scrollWidth")
                .await;
            assert!(
                content.as_u64() <= Some(width),
                "{content} pixels on a screen of {width}"
            );
        }
    });
}
