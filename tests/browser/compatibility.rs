//! Browsers without a required feature, or without storage.

use crate::page::{PRELOADED, needs_chromium, test_page};

#[test]
fn missing_simd_is_reported() {
    if needs_chromium(PRELOADED) {
        return;
    }
    test_page(&[], async |page, _| {
        page.wait_for("idle").await;
        page.reload_with("WebAssembly.validate = () => false").await;
        page.wait_until_true("document.getElementById('status').dataset.state === 'unsupported'")
            .await;
        let state = page.state().await;
        assert!(
            state.text("detail").contains("WebAssembly SIMD"),
            "{state:?}"
        );
        assert!(state.buttons().is_empty(), "{state:?}");
    });
}

#[test]
fn page_works_without_storage() {
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
        page.wait_until("updates", |state| state.count("own-accepted") > 10.0)
            .await;
    });
}
