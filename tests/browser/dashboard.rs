//! The operator's dashboard, signed out and signed in.

use std::time::Duration;

use farsign_tests::load_clients::LoadClients;
use farsign_tests::server_process::ServerProcess;
use serde_json::Value;

use crate::page::{Page, console_messages_during, test_page};

/// The admin token of these tests.
pub const TOKEN: &str = "an admin token of the tests";

/// Arguments of a server with the token, for many volunteers.
pub const ARGUMENTS: [&str; 8] = [
    "--model",
    "softmax",
    "--rule",
    "plain",
    "--admin-token",
    TOKEN,
    "--max-volunteers-per-address",
    "3000",
];

/// Opens the dashboard, and signs in if there is a token.
pub async fn open(page: &Page, server: &ServerProcess, token: Option<&str>) {
    page.wait_for("idle").await;
    page.go_to(&format!("http://{}/dashboard", server.address()))
        .await;
    page.wait_until_true("document.getElementById('accuracy').dataset.value !== ''")
        .await;
    if let Some(token) = token {
        sign_in(page, token).await;
    }
}

/// Signs in with a token.
pub async fn sign_in(page: &Page, token: &str) {
    page.set("token", &format!("value = {token:?}"), "input")
        .await;
    page.run("document.getElementById('access-form').requestSubmit()")
        .await;
}

async fn is_visible(page: &Page, id: &str) -> bool {
    page.run(&format!(
        "return document.getElementById('{id}').checkVisibility()"
    ))
    .await
        == true
}

/// Returns the ids of the rows in order.
async fn row_ids(page: &Page) -> Vec<u64> {
    let ids = page
        .run("return [...document.querySelectorAll('#volunteer-table tbody tr')].map((row) => Number(row.dataset.id))")
        .await;
    ids.as_array()
        .expect("rows")
        .iter()
        .filter_map(Value::as_u64)
        .collect()
}

/// Waits until the table has this many rows.
pub async fn wait_for_rows(page: &Page, count: usize) {
    let script =
        format!("document.querySelectorAll('#volunteer-table tbody tr').length === {count}");
    page.wait_until_true(&script).await;
}

/// Clicks an action of a row, and confirms it with a choice.
pub async fn act(page: &Page, row: u64, action: &str, choice: &str) {
    page.run(&format!(
        "document.querySelector('tr[data-id=\"{row}\"] [data-action=\"{action}\"]').click()"
    ))
    .await;
    page.run(&format!(
        "document.querySelector('#confirm button[value=\"{choice}\"]').click()"
    ))
    .await;
}

async fn wait_for_note(page: &Page, text: &str) {
    page.wait_until_true(&format!(
        "document.getElementById('action-note').textContent.includes({text:?})"
    ))
    .await;
}

#[test]
fn public_status_needs_no_token() {
    test_page(&ARGUMENTS, async |page, server| {
        open(page, server, None).await;
        for (id, expected) in [
            ("access", true),
            ("run", false),
            ("volunteers", false),
            ("ejected", false),
        ] {
            assert_eq!(is_visible(page, id).await, expected, "{id}");
        }
        assert_eq!(page.text("rule").await, "Plain, first order");
    });
}

#[test]
fn unsendable_token_is_explained() {
    test_page(&ARGUMENTS, async |page, server| {
        open(page, server, Some("0123456789abcdef€")).await;
        let note = page.text("access-note").await;
        assert!(note.contains("ASCII") && note.contains("“€”"), "{note}");
        sign_in(page, &format!("  {TOKEN} ")).await;
        page.wait_until_true("document.getElementById('access').hidden")
            .await;
    });
}

#[test]
fn wrong_token_is_rejected() {
    let messages = console_messages_during(&ARGUMENTS, async |page, server| {
        open(page, server, Some("another token")).await;
        page.wait_until_true(
            "document.getElementById('access-note').textContent.startsWith('This is not')",
        )
        .await;
        assert!(!is_visible(page, "volunteers").await);
    });
    // The browser reports the rejected request; the page adds nothing.
    assert!(
        messages.iter().all(|message| message.text.contains("401")),
        "{messages:?}"
    );
}

#[test]
fn operator_sorts_finds_throttles_ejects_bans() {
    test_page(&ARGUMENTS, async |page, server| {
        let _clients = LoadClients::join(server.address(), 60, Duration::from_millis(500));
        open(page, server, Some(TOKEN)).await;
        wait_for_rows(page, 50).await;
        assert_eq!(row_ids(page).await, (1..=50).collect::<Vec<u64>>());
        assert_eq!(page.text("page-range").await, "1 to 50");
        page.press("next-page").await;
        wait_for_rows(page, 10).await;
        page.run("document.querySelector('th[data-key=id] button').click()")
            .await;
        page.wait_until_true(
            "document.querySelector('#volunteer-table tbody tr')?.dataset.id === '60'",
        )
        .await;

        page.set("find", "value = '17'", "input").await;
        wait_for_rows(page, 1).await;
        page.run("document.querySelector('tr[data-id=\"17\"] [data-action=\"effort\"]').click()")
            .await;
        wait_for_note(page, "Volunteer 17 now works at 25").await;
        page.wait_until_true(
            "document.querySelector('tr[data-id=\"17\"]').textContent.includes('25\u{a0}%')",
        )
        .await;
        act(page, 17, "eject", "yes").await;
        wait_for_note(page, "Ejected volunteer 17").await;
        page.wait_until_true(
            "document.getElementById('ejections').textContent.includes('Ejected by operator')",
        )
        .await;

        page.set("find", "value = ''", "input").await;
        wait_for_rows(page, 50).await;
        act(page, 18, "ban", "address").await; // the address of all volunteers
        wait_for_note(page, "Banned the address").await;
        page.wait_until_true("document.getElementById('volunteers-note').textContent === '0'")
            .await;
        page.run("document.querySelector('#bans').open = true")
            .await;
        page.wait_until_true(
            "document.getElementById('ban-list').textContent.includes('127.0.0.1')",
        )
        .await;
        page.run("document.querySelector('#ban-list button').click()")
            .await;
        page.wait_until_true("document.getElementById('ban-list').textContent === 'No bans.'")
            .await;
    });
}

#[test]
fn run_pauses_and_resumes() {
    test_page(&ARGUMENTS, async |page, server| {
        open(page, server, Some(TOKEN)).await;
        page.wait_until_true("!document.getElementById('run').hidden")
            .await;
        page.press("pause").await;
        page.run("document.querySelector('#confirm button[value=yes]').click()")
            .await;
        page.wait_until_true("document.getElementById('state').textContent === 'Paused.'")
            .await;
        page.press("pause").await;
        page.wait_until_true("document.getElementById('state').textContent === 'Training.'")
            .await;
    });
}

#[test]
fn dashboard_survives_server_restart() {
    let messages = console_messages_during(&ARGUMENTS, async |page, server| {
        open(page, server, Some(TOKEN)).await;
        page.wait_until_true("!document.getElementById('volunteers').hidden")
            .await;
        server.kill();
        server.restart();
        let _clients = LoadClients::join(server.address(), 4, Duration::from_millis(100));
        wait_for_rows(page, 4).await;
    });
    let is_lost_connection =
        |text: &str| text.contains("net::ERR_") || text.contains("NetworkError");
    assert!(
        messages
            .iter()
            .all(|message| is_lost_connection(&message.text)),
        "{messages:?}"
    );
}

/// Clicks the column headings, and returns in ms the longest time from a click to the next frame, and the longest task of
/// the main thread.
const CLICK_LATENCY: &str = "
    return (async () => {
      const latencies = [];
      const longest = [0];
      new PerformanceObserver((list) => longest.push(...list.getEntries().map((task) => task.duration)))
        .observe({ type: 'longtask' });
      for (let n = 0; n < 20; n += 1) {
        const headings = document.querySelectorAll('#volunteer-table th button');
        const started = performance.now();
        headings[n % headings.length].click();
        await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
        latencies.push(performance.now() - started);
        await new Promise((done) => setTimeout(done, 250));
      }
      return [Math.max(...latencies), Math.max(...longest)];
    })()";

/// Returns the bytes per second of the event stream and of the status requests, over ten seconds.
const BYTES_PER_S: &str = "
    return (async () => {
      performance.clearResourceTimings();
      const connection = new AbortController();
      const headers = { authorization: `Bearer TOKEN` };
      const { body } = await fetch('../api/v1/admin/dashboard', { headers, signal: connection.signal });
      const reader = body.getReader();
      const started = performance.now();
      let bytes = 0;
      while (performance.now() - started < 10_000) bytes += (await reader.read()).value.length;
      connection.abort();
      const seconds = (performance.now() - started) / 1000;
      const polls = performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('/status'));
      return [bytes / seconds, polls.reduce((sum, { transferSize }) => sum + transferSize, 0) / seconds];
    })()";

/// Measures the dashboard with 2,000 volunteers. It needs the build of `cargo xtask test browser`:
/// `cargo test --workspace --test browser dashboard_latency -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement of half a minute"]
fn dashboard_latency_with_2000_volunteers() {
    let capacity = [
        "--max-volunteers",
        "3000",
        "--max-connections",
        "4000",
        "--max-connections-per-address",
        "4000",
    ];
    let join_rate = ["--joins-per-minute", "100000"];
    let arguments = [&ARGUMENTS[..], &capacity, &join_rate].concat();
    test_page(&arguments, async |page, server| {
        let clients = LoadClients::join(server.address(), 2000, Duration::from_secs(10));
        open(page, server, Some(TOKEN)).await;
        page.wait_until_true("document.getElementById('volunteers-note').textContent === '2,000'")
            .await;
        let latency = page.run(CLICK_LATENCY).await;
        let bytes_per_s = page.run(&BYTES_PER_S.replace("TOKEN", TOKEN)).await;
        println!("slowest click and longest task, ms: {latency}");
        println!(
            "bytes per second of the stream and the status: {bytes_per_s}; {} updates",
            clients.accepted()
        );
        assert!(latency[0].as_f64() < Some(100.0), "{latency}");
        let sum: f64 = bytes_per_s
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_f64)
            .sum();
        assert!(sum < 50_000.0, "{bytes_per_s}");
    });
}
