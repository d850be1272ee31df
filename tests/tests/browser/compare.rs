//! The page that lays curves of several runs over each other.

use std::fs;
use std::path::PathBuf;

use farsign_lab::summary::CURVES_HEAD;
use farsign_tests::process::Server;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::craft::{SHIFTS, axe, violations_everywhere};
use crate::page::{EMULATION, Page, needs_chromium, test_page};

/// Two methods, two seeds, one attack: means and deviations that can be worked out by hand.
const LAB: &str = "\
plain,none,0,1,0,0.000,0.10000,2.30000
plain,none,0,1,200,10.000,0.80000,0.60000
plain,none,0,2,0,0.000,0.10000,2.30000
plain,none,0,2,200,12.000,0.90000,0.40000
plain,sign-flip,0.3,1,200,10.000,0.70000,0.90000
plain,sign-flip,0.3,2,200,10.000,0.72000,0.90000
plain,fast,0.3,1,200,10.000,0.60000,
plain,fast,0.3,2,200,10.000,0.61000,1.10000
vote,none,0,1,0,0.000,0.10000,2.30000
vote,none,0,1,200,10.000,0.75000,0.80000
vote,none,0,2,0,0.000,0.10000,2.30000
vote,none,0,2,200,10.000,0.75000,0.80000
";

const HISTORY: &str = "\
accepted,elapsed_s,accuracy,loss
0,0.000,0.10200,2.30259
3000,200.000,0.90200,0.40000
";

/// A file of the lab, in a folder that ends with the test.
pub fn lab_file(folder: &TempDir) -> PathBuf {
    written(folder, "curves.csv", &format!("{CURVES_HEAD}{LAB}"))
}

/// A server's history.
pub fn history_file(folder: &TempDir) -> PathBuf {
    written(folder, "history.csv", HISTORY)
}

fn written(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, text).expect("the folder can be written to");
    path
}

/// Goes to the page, and waits until it can be used.
pub async fn open(page: &Page, server: &Server, query: &str) {
    page.wait_for("idle").await;
    page.go_to(&format!("http://{}/compare/{query}", server.address())).await;
    page.wait_until_true("'ready' in document.documentElement.dataset").await;
}

async fn said(page: &Page, text: &str) {
    page.wait_until_true(&format!("document.getElementById('said').textContent.startsWith({text:?})")).await;
}

/// Texts of the table, row by row.
async fn table(page: &Page) -> Vec<Vec<String>> {
    let rows = page
        .run("return [...document.querySelectorAll('#table tr')].map((row) => [...row.cells].map((cell) => cell.innerText))")
        .await;
    let text = |cell: &Value| cell.as_str().expect("a text").replace(['\u{a0}', '\n'], " ");
    let rows = rows.as_array().expect("rows").iter();
    rows.map(|row| row.as_array().expect("cells").iter().map(text).collect()).collect()
}

/// Names of the curves, and whether they are drawn.
async fn legend(page: &Page) -> Value {
    page.run(
        "return [...document.querySelectorAll('#legend li')]
           .map((item) => [item.querySelector('.who').textContent, item.querySelector('input').checked])",
    )
    .await
}

/// The columns of the chart's data are not to be had; what it says of itself is.
async fn chart_says(page: &Page) -> String {
    let label = page.run("return document.getElementById('chart').getAttribute('aria-label')").await;
    label.as_str().expect("a text").replace('\u{a0}', " ")
}

#[test]
fn curves_of_a_lab_and_a_server_are_laid_over_each_other() {
    let folder = tempfile::tempdir().expect("a folder");
    test_page(&["--model", "softmax"], async |page, server| {
        open(page, server, "").await;
        page.choose_files("choose", &[lab_file(&folder), history_file(&folder)]).await;
        said(page, "Opened curves (2 methods, 8 runs)").await;
        assert_eq!(legend(page).await, json!([["plain", true], ["vote", true], ["history", true]]));
        let rows = table(page).await;
        let heads = ["Curve", "Accuracy", "Loss", "Messages", "Time", "Seeds", "Worst at 30 %"];
        assert_eq!(rows[0], heads);
        let plain = ["plain", "85.0 ± 7.1 %", "0.500 ± 0.141", "200", "11 s", "2", "60.5 % fast"];
        assert_eq!(rows[1], plain);
        assert_eq!(rows[2], ["vote", "75.0 ± 0.0 %", "0.800 ± 0.000", "200", "10 s", "2", "–"]);
        assert_eq!(rows[3], ["history", "90.2 %", "0.400", "3,000", "3 min 20 s", "1", "–"]);
        assert!(chart_says(page).await.starts_with("Held-out accuracy against messages. plain ends at 85.0"));
    });
}

#[test]
fn attack_share_and_axes_choose_what_is_drawn() {
    let folder = tempfile::tempdir().expect("a folder");
    test_page(&["--model", "softmax"], async |page, server| {
        open(page, server, "").await;
        page.choose_files("choose", &[lab_file(&folder)]).await;
        said(page, "Opened").await;
        page.set("attack", "value = 'sign-flip'", "change").await;
        assert_eq!(page.run("return document.getElementById('share').value").await, "0.3");
        let rows = table(page).await;
        assert_eq!(rows[1][..3], ["plain", "71.0 ± 1.4 %", "0.900 ± 0.000"]);
        assert_eq!(rows[2][..3], ["vote", "–", "–"], "it was not tried under this attack");
        page.set("attack", "value = 'worst'", "change").await;
        page.run("document.querySelector('input[value=loss]').click()").await;
        page.run("document.querySelector('input[value=seconds]').click()").await;
        let rows = table(page).await;
        assert_eq!(rows[1][..3], ["plain: fast", "60.5 ± 0.7 %", "–"], "one loss was not finite");
        assert!(chart_says(page).await.starts_with("Held-out loss against seconds. plain: fast ends at –"));
    });
}

#[test]
fn a_curve_can_be_hidden_and_a_file_named_and_closed() {
    let folder = tempfile::tempdir().expect("a folder");
    test_page(&["--model", "softmax"], async |page, server| {
        open(page, server, "").await;
        page.choose_files("choose", &[lab_file(&folder)]).await;
        said(page, "Opened").await;
        page.choose_files("choose", &[lab_file(&folder)]).await;
        said(page, "Opened curves 2").await;
        page.run("document.querySelectorAll('#legend input')[3].click()").await;
        let names = json!([
            ["plain (curves)", true],
            ["vote (curves)", true],
            ["plain (curves 2)", true],
            ["vote (curves 2)", false],
        ]);
        assert_eq!(legend(page).await, names);
        assert_eq!(page.text("shown").await, "3 of 4 curves");
        page.run(
            "const name = document.querySelectorAll('#files input')[1];
             name.value = 'larger';
             name.dispatchEvent(new Event('change'))",
        )
        .await;
        assert_eq!(legend(page).await[2], json!(["plain (larger)", true]));
        page.run("document.querySelector('#files button').click()").await;
        assert_eq!(legend(page).await, json!([["plain", true], ["vote", false]]));
    });
}

#[test]
fn a_bad_file_is_told_with_its_line_and_the_others_are_opened() {
    let folder = tempfile::tempdir().expect("a folder");
    let bad = |name: &str, text: &str| written(&folder, name, text);
    let head = CURVES_HEAD.trim_end();
    let files = [
        bad("words.csv", "Dear diary,\n"),
        bad("empty.csv", ""),
        bad("head.csv", CURVES_HEAD),
        bad("short.csv", &format!("{head}\nplain,none,0,1,0\n")),
        bad("share.csv", &format!("{head}\nplain,none,0,1,0,0.0,1.5,2.3\n")),
        bad("back.csv", "accepted,elapsed_s,accuracy,loss\n5,1,0.1,2\n4,2,0.2,1\n"),
        history_file(&folder),
    ];
    test_page(&["--model", "softmax"], async |page, server| {
        open(page, server, "").await;
        page.choose_files("choose", &files).await;
        said(page, "Opened history (2 measurements).").await;
        let told = page
            .run(
                "return [...document.querySelectorAll('#mistakes li')].map(({ textContent }) => textContent)",
            )
            .await;
        let columns = format!(
            "expected the columns {head} (the curves.csv of farsign lab run) or \
             accepted,elapsed_s,accuracy,loss (the history of a server)"
        );
        let expected = json!([
            format!("words.csv, line 1: {columns}, found “Dear diary,”."),
            format!("empty.csv, line 1: {columns}, found nothing."),
            "head.csv, line 2: expected a line of numbers, found the end of the file.",
            "short.csv, line 2: expected 8 fields, found 5: “plain,none,0,1,0”.",
            "share.csv, line 2: expected as accuracy a number from 0 to 1, found “1.5”.",
            "back.csv, line 3: expected as accepted a number of at least 5, found “4”.",
        ]);
        assert_eq!(told, expected);
        assert_eq!(legend(page).await, json!([["history", true]]));
    });
}

/// What else a link may name is told like a bad file, and nothing is asked of another server.
#[test]
fn the_servers_own_history_is_opened_by_a_link_and_by_a_button() {
    test_page(&["--model", "softmax"], async |page, server| {
        page.start_at_full_effort().await;
        page.wait_until("a curve", |facts| facts.count("own-accepted") > 300.0).await;
        page.press("stop").await;
        page.wait_for("stopped").await;
        page.reload().await;
        open(page, server, "?run=../api/v1/history.csv").await;
        said(page, "Opened history (").await;
        let accepted = table(page).await[1][3].replace(',', "").parse::<u64>().expect("a number of answers");
        assert!(
            (1..=server.status()["accepted"].as_u64().expect("a count")).contains(&accepted),
            "{accepted}"
        );
        page.press("own").await;
        page.wait_until_true("document.querySelectorAll('#legend li').length === 2").await;
    });
}

#[test]
fn files_are_opened_where_they_are_dropped() {
    test_page(&["--model", "softmax"], async |page, server| {
        open(page, server, "").await;
        page.run(&format!(
            "const dropped = new DataTransfer();
             dropped.items.add(new File([{HISTORY:?}], 'history.csv', {{ type: 'text/csv' }}));
             const how = {{ dataTransfer: dropped, bubbles: true, cancelable: true }};
             document.getElementById('chart').dispatchEvent(new DragEvent('drop', how))"
        ))
        .await;
        said(page, "Opened history (2 measurements)").await;
    });
}

#[test]
fn a_link_names_files_of_this_server_only() {
    test_page(&["--model", "softmax"], async |page, server| {
        open(page, server, "?run=/api/v1/status&run=https://example.org/history.csv").await;
        said(page, "Nothing was opened.").await;
        let told = page.text("mistakes").await;
        assert!(told.contains("status, line 1: expected the columns"), "{told}");
        let other = format!(
            "https://example.org/history.csv: expected an address of http://{}, found another.",
            server.address()
        );
        assert!(told.contains(&other), "{told}");
    });
}

#[test]
fn axe_finds_nothing_wrong_with_comparing_and_nothing_jumps() {
    if needs_chromium(EMULATION) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let files = [lab_file(&folder), history_file(&folder), written(&folder, "words.csv", "Dear diary\n")];
    test_page(&["--model", "softmax"], async |page, server| {
        open(page, server, "").await;
        let shifted = page.run(SHIFTS).await.as_f64().expect("a sum");
        assert!(shifted < 0.02, "layout shifts of {shifted}");
        let Some(axe) = axe() else { return };
        assert_eq!(violations_everywhere(page, &axe).await, Vec::<String>::new(), "with nothing open");
        page.choose_files("choose", &files).await;
        said(page, "Opened").await;
        assert_eq!(violations_everywhere(page, &axe).await, Vec::<String>::new(), "with files open");
        let wide = page.run("return document.documentElement.scrollWidth").await;
        assert!(wide.as_u64() <= Some(320), "{wide} pixels on a screen of 320");
    });
}
