//! The data worker of a page: it downloads and holds the training images for all cores.

use std::collections::BTreeSet;

use farsign_server::data::loader;
use farsign_tests::dataset_folder::write_dataset;
use farsign_tests::reverse_proxy::{ReverseProxy, ReverseProxyOptions};
use farsign_tests::server_process::ServerProcess;

use crate::cores::{choose_cores, set_cores, wait_for_cores, wait_for_updates};
use crate::page::{EMULATION, PRELOADED, Page, console_messages_during, needs_chromium, test_page};

/// Requests for the list of shards.
const LIST: &str = "GET /api/v1/data/shards ";
/// Requests for any shard.
const SHARDS: &str = "GET /api/v1/data/shards/";

/// Starts three cores of the page behind a proxy.
async fn start_behind_proxy(page: &Page, server: &ServerProcess) -> ReverseProxy {
    let proxy = ReverseProxy::to(server.address(), ReverseProxyOptions::default());
    let proxy = proxy.expect("a proxy");
    page.go_to(&proxy.url("/")).await;
    choose_cores(page, 3).await;
    page.start_at_full_effort().await;
    wait_for_cores(server, 3);
    proxy
}

/// Waits until as many shards were requested as there are, and returns their number.
async fn wait_for_shards(page: &Page, server: &ServerProcess, proxy: &ReverseProxy) -> usize {
    let list = server.get_json("/api/v1/data/shards", "");
    let shards = list["shards"].as_array().map_or(0, Vec::len);
    page.wait_until("all shards", |_| proxy.requests(SHARDS).len() >= shards)
        .await;
    shards
}

/// Expects no shard to be requested twice.
fn expect_distinct_shards(proxy: &ReverseProxy) {
    let requests = proxy.requests(SHARDS);
    let distinct: BTreeSet<&String> = requests.iter().collect();
    assert_eq!(distinct.len(), requests.len(), "{requests:#?}");
}

#[test]
fn cores_download_each_shard_once() {
    if needs_chromium(PRELOADED) {
        return;
    }
    test_page(
        &["--model", "softmax", "--schedule", "constant"],
        async |page, server| {
            let proxy = start_behind_proxy(page, server).await;
            let shards = wait_for_shards(page, server, &proxy).await;
            set_cores(page, 4).await;
            wait_for_cores(server, 4);
            wait_for_updates(page, 100.0).await;
            expect_distinct_shards(&proxy);
            assert_eq!(proxy.requests(SHARDS).len(), shards);
            assert_eq!(proxy.requests(LIST).len(), 1);
            let summary = page.text("usage-summary").await;
            assert!(!summary.contains("each core"), "{summary}");
        },
    );
}

#[test]
fn updates_of_cores_pass_verification() {
    if needs_chromium(PRELOADED) {
        return;
    }
    let arguments = [
        "--verify-probability",
        "1",
        "--verify-cpu-fraction",
        "1",
        "--schedule",
        "constant",
    ];
    test_page(&arguments, async |page, server| {
        choose_cores(page, 3).await;
        page.set_effort(50).await;
        page.press("start").await;
        wait_for_cores(server, 3);
        let status = server.wait_for_verifications(60.0);
        assert_eq!(status["volunteers"]["connected"], 3);
    });
}

#[test]
fn failed_data_worker_ends_training() {
    if needs_chromium(EMULATION) {
        return;
    }
    let messages = console_messages_during(
        &["--model", "softmax", "--schedule", "constant"],
        async |page, server| {
            choose_cores(page, 2).await;
            page.start_at_full_effort().await;
            wait_for_cores(server, 2);
            page.devtools(2).await.fail_data_worker().await;
            page.wait_until_true("document.getElementById('status').dataset.state === 'failed'")
                .await;
            let detail = page.state().await.text("detail").to_owned();
            assert!(detail.contains("a failure of the test"), "{detail}");
            server.wait_until("the end of both sessions", |status| {
                status["volunteers"]["connected"] == 0
            });
            page.press("start").await;
            wait_for_cores(server, 2);
            wait_for_updates(page, 20.0).await;
        },
    );
    let others: Vec<_> = messages
        .iter()
        .filter(|message| !message.text.contains("a failure of the test"))
        .collect();
    assert!(others.is_empty(), "{others:#?}");
}

#[test]
fn changed_data_is_reloaded_once() {
    if needs_chromium(PRELOADED) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder for the data");
    let digits = loader::built_in().expect("the built-in digits");
    write_dataset(folder.path(), &digits.train, &digits.held_out).expect("a write");
    let data = folder.path().display().to_string();
    let arguments = [
        "--model",
        "softmax",
        "--schedule",
        "constant",
        "--data",
        &data,
    ];
    let messages = console_messages_during(&arguments, async |page, server| {
        let proxy = start_behind_proxy(page, server).await;
        wait_for_shards(page, server, &proxy).await;
        wait_for_updates(page, 20.0).await;
        assert_eq!(proxy.requests(LIST).len(), 1);
        server.kill();
        write_dataset(folder.path(), &digits.held_out, &digits.train).expect("a write");
        server.restart();
        wait_for_cores(server, 3);
        wait_for_updates(page, 50.0).await;
        assert_eq!(proxy.requests(LIST).len(), 2);
        expect_distinct_shards(&proxy);
    });
    drop(messages); // browsers report the requests that failed meanwhile
}
