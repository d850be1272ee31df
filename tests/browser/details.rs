//! The details of the page.

use sha2::{Digest, Sha256};

use crate::page::test_page;

#[test]
fn details_show_version_and_hash() {
    test_page(&[], async |page, server| {
        page.wait_for("idle").await;
        page.run("document.getElementById('details').open = true")
            .await;
        page.wait_until_true("document.getElementById('wasm-hash').textContent.length === 64")
            .await;
        let url = format!("http://{}/pkg/farsign_worker_bg.wasm", server.address());
        let wasm = ureq::get(&url)
            .call()
            .expect("a response")
            .body_mut()
            .read_to_vec()
            .expect("a body");
        let shown = page.text("wasm-hash").await;
        let byte =
            |at: usize| u8::from_str_radix(&shown[at..at + 2], 16).expect("hexadecimal digits");
        let shown: Vec<u8> = (0..64).step_by(2).map(byte).collect();
        assert_eq!(shown[..], Sha256::digest(&wasm)[..]);
        assert_eq!(
            page.text("version").await,
            format!("farsign-browser {}", env!("CARGO_PKG_VERSION"))
        );
        assert!(page.text("log").await.contains("Ready."));
    });
}
