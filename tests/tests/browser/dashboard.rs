//! The host's dashboard: what is seen without the token, and what can be done with it.

use std::time::Duration;

use farsign_tests::crowd::Crowd;
use farsign_tests::process::Server;
use serde_json::Value;

use crate::craft::{SHIFTS, axe, violations_everywhere};
use crate::page::{EMULATION, Page, needs_chromium, test_page};

/// The host's token in these tests.
pub const TOKEN: &str = "a token of the host's own";

/// Arguments of a server that has it, and takes a crowd.
pub const WITH_TOKEN: [&str; 8] =
    ["--model", "softmax", "--rule", "plain", "--admin-token", TOKEN, "--max-volunteers-per-address", "3000"];

/// Goes to the dashboard, and gives the token if there is one to give.
pub async fn open(page: &Page, server: &Server, token: Option<&str>) {
    page.wait_for("idle").await;
    page.go_to(&format!("http://{}/dashboard", server.address())).await;
    page.wait_until_true("document.getElementById('accuracy').dataset.value !== ''").await;
    if let Some(token) = token {
        give_token(page, token).await;
    }
}

/// Gives a token as a person would.
pub async fn give_token(page: &Page, token: &str) {
    page.set("token", &format!("value = {token:?}"), "input").await;
    page.run("document.getElementById('access-form').requestSubmit()").await;
}

async fn shown(page: &Page, id: &str) -> bool {
    page.run(&format!("return document.getElementById('{id}').checkVisibility()")).await == true
}

/// Ids of the rows, in order.
async fn rows(page: &Page) -> Vec<u64> {
    let ids = page
        .run("return [...document.querySelectorAll('#table tbody tr')].map((row) => Number(row.dataset.id))")
        .await;
    ids.as_array().expect("rows").iter().filter_map(Value::as_u64).collect()
}

/// Clicks on a button of a row, and then on the answer to what is asked.
pub async fn act(page: &Page, row: u64, act: &str, answer: &str) {
    page.run(&format!("document.querySelector('tr[data-id=\"{row}\"] [data-act=\"{act}\"]').click()")).await;
    page.run(&format!("document.querySelector('#ask button[value=\"{answer}\"]').click()")).await;
}

async fn told(page: &Page, what: &str) {
    page.wait_until_true(&format!("document.getElementById('action-note').textContent.includes({what:?})"))
        .await;
}

#[test]
fn without_the_token_it_shows_what_everybody_may_know() {
    test_page(&WITH_TOKEN, async |page, server| {
        open(page, server, None).await;
        for (id, is) in [("access", true), ("actions", false), ("volunteers", false), ("removed", false)] {
            assert_eq!(shown(page, id).await, is, "{id}");
        }
        assert_eq!(page.text("rule").await, "Plain, first order");
    });
}

#[test]
fn a_wrong_token_is_told_and_opens_nothing() {
    let complaints = crate::page::complaints_during(&WITH_TOKEN, async |page, server| {
        open(page, server, Some("another token of somebody")).await;
        page.wait_until_true("document.getElementById('access-note').textContent.startsWith('That is not')")
            .await;
        assert!(!shown(page, "volunteers").await);
    });
    // The browser itself says that a request was refused; the page adds nothing.
    assert!(complaints.iter().all(|complaint| complaint.message.contains("401")), "{complaints:?}");
}

#[test]
fn the_host_sorts_finds_slows_removes_and_bans() {
    test_page(&WITH_TOKEN, async |page, server| {
        let _crowd = Crowd::join(server.address(), 60, Duration::from_millis(500));
        open(page, server, Some(TOKEN)).await;
        page.wait_until_true("document.querySelectorAll('#table tbody tr').length === 50").await;
        assert_eq!(rows(page).await, (1..=50).collect::<Vec<u64>>());
        assert_eq!(page.text("page").await, "1 to 50");
        page.press("after").await;
        page.wait_until_true("document.querySelectorAll('#table tbody tr').length === 10").await;
        page.run("document.querySelector('th[data-key=id] button').click()").await;
        page.wait_until_true("document.querySelector('#table tbody tr')?.dataset.id === '60'").await;

        page.set("find", "value = '17'", "input").await;
        page.wait_until_true("document.querySelectorAll('#table tbody tr').length === 1").await;
        page.run("document.querySelector('tr[data-id=\"17\"] [data-act=\"effort\"]').click()").await;
        told(page, "Volunteer 17 works at 25").await;
        page.wait_until_true(
            "document.querySelector('tr[data-id=\"17\"]').textContent.includes('25\u{a0}%')",
        )
        .await;
        act(page, 17, "kick", "yes").await;
        told(page, "Removed volunteer 17").await;
        page.wait_until_true("document.getElementById('removals').textContent.includes('Kicked')").await;

        page.set("find", "value = ''", "input").await;
        page.wait_until_true("document.querySelectorAll('#table tbody tr').length === 50").await;
        act(page, 18, "ban", "address").await; // that is all of them
        told(page, "Banned the address").await;
        page.wait_until_true("document.getElementById('volunteers-note').textContent === '0'").await;
        page.run("document.querySelector('#bans').open = true").await;
        page.wait_until_true("document.getElementById('ban-list').textContent.includes('127.0.0.1')").await;
        page.run("document.querySelector('#ban-list button').click()").await;
        page.wait_until_true("document.getElementById('ban-list').textContent === 'There are none.'").await;
    });
}

#[test]
fn the_run_is_paused_and_goes_on() {
    test_page(&WITH_TOKEN, async |page, server| {
        open(page, server, Some(TOKEN)).await;
        page.wait_until_true("!document.getElementById('actions').hidden").await;
        page.press("pause").await;
        page.run("document.querySelector('#ask button[value=yes]').click()").await;
        page.wait_until_true("document.getElementById('state').textContent === 'Paused by the host.'").await;
        page.press("pause").await;
        page.wait_until_true("document.getElementById('state').textContent === 'Training.'").await;
    });
}

#[test]
fn it_stays_open_over_a_restart_of_the_server() {
    let complaints = crate::page::complaints_during(&WITH_TOKEN, async |page, server| {
        open(page, server, Some(TOKEN)).await;
        page.wait_until_true("!document.getElementById('volunteers').hidden").await;
        server.kill();
        server.start_again();
        let _crowd = Crowd::join(server.address(), 4, Duration::from_millis(100));
        page.wait_until_true("document.querySelectorAll('#table tbody tr').length === 4").await;
    });
    let lost = |message: &str| message.contains("net::ERR_") || message.contains("NetworkError");
    assert!(complaints.iter().all(|complaint| lost(&complaint.message)), "{complaints:?}");
}

#[test]
fn axe_finds_nothing_wrong_with_it_and_nothing_jumps() {
    if needs_chromium(EMULATION) {
        return;
    }
    test_page(&WITH_TOKEN, async |page, server| {
        open(page, server, None).await;
        let Some(axe) = axe() else { return };
        assert_eq!(violations_everywhere(page, &axe).await, Vec::<String>::new(), "without the token");
        let _crowd = Crowd::join(server.address(), 20, Duration::from_millis(100));
        give_token(page, TOKEN).await;
        page.wait_until_true("document.querySelectorAll('#table tbody tr').length === 20").await;
        assert_eq!(violations_everywhere(page, &axe).await, Vec::<String>::new(), "with it");
        let wide = page.run("return document.documentElement.scrollWidth").await;
        assert!(wide.as_u64() <= Some(320), "{wide} pixels on a screen of 320");
        let shifted = page.run(SHIFTS).await.as_f64().expect("a sum");
        assert!(shifted < 0.1, "layout shifts of {shifted}");
    });
}

/// Clicks on the heads of columns, and gives how long the slowest took from the click to the next picture, in ms; and
/// the longest task of the page's main thread besides.
const SLOWEST: &str = "
    return (async () => {
      const took = [];
      const longest = [0];
      new PerformanceObserver((list) => longest.push(...list.getEntries().map((task) => task.duration)))
        .observe({ type: 'longtask' });
      for (let n = 0; n < 20; n += 1) {
        const heads = document.querySelectorAll('#table th button');
        const began = performance.now();
        heads[n % heads.length].click();
        await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
        took.push(performance.now() - began);
        await new Promise((done) => setTimeout(done, 250));
      }
      return [Math.max(...took), Math.max(...longest)];
    })()";

/// Bytes a second over ten seconds: of a stream of views, and of the status that is asked for besides.
const BYTES_PER_S: &str = "
    return (async () => {
      performance.clearResourceTimings();
      const line = new AbortController();
      const headers = { authorization: `Bearer TOKEN` };
      const { body } = await fetch('../api/v1/admin/dashboard', { headers, signal: line.signal });
      const [reader, began] = [body.getReader(), performance.now()];
      let bytes = 0;
      while (performance.now() - began < 10_000) bytes += (await reader.read()).value.length;
      line.abort();
      const seconds = (performance.now() - began) / 1000;
      const polls = performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('/status'));
      return [bytes / seconds, polls.reduce((sum, { transferSize }) => sum + transferSize, 0) / seconds];
    })()";

/// How it does with two thousand volunteers, once `cargo xtask test browser` has built what it needs:
/// `cargo test --workspace --test browser with_two -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement, of half a minute"]
fn with_two_thousand_volunteers_it_answers_a_click_in_a_moment() {
    let room =
        ["--max-volunteers", "3000", "--max-connections", "4000", "--max-connections-per-address", "4000"];
    let haste = ["--joins-per-minute", "100000"];
    let arguments = [&WITH_TOKEN[..], &room, &haste].concat();
    test_page(&arguments, async |page, server| {
        let crowd = Crowd::join(server.address(), 2000, Duration::from_secs(10));
        open(page, server, Some(TOKEN)).await;
        page.wait_until_true("document.getElementById('volunteers-note').textContent === '2,000'").await;
        let slowest = page.run(SLOWEST).await;
        let bytes_per_s = page.run(&BYTES_PER_S.replace("TOKEN", TOKEN)).await;
        println!("slowest click and longest task, ms: {slowest}");
        println!(
            "bytes a second of the stream and of the status: {bytes_per_s}; {} answers",
            crowd.accepted()
        );
        assert!(slowest[0].as_f64() < Some(100.0), "{slowest}");
        let sum: f64 = bytes_per_s.as_array().into_iter().flatten().filter_map(Value::as_f64).sum();
        assert!(sum < 50_000.0, "{bytes_per_s}");
    });
}
