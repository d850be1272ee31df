//! The page that compares runs.

use std::fs;
use std::path::PathBuf;

use farsign_lab::suite::summary::CURVES_HEADER;
use farsign_tests::server_process::ServerProcess;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::page::{Page, test_page};

/// Two methods with two seeds each, with means and deviations that are easy to verify.
const LAB: &str = "\
plain,none,0,1,0,0.000,0.10000,2.30000
plain,none,0,1,200,10.000,0.80000,0.60000
plain,none,0,2,0,0.000,0.10000,2.30000
plain,none,0,2,200,12.000,0.90000,0.40000
plain,sign-flip,0.3,1,200,10.000,0.70000,0.90000
plain,sign-flip,0.3,2,200,10.000,0.72000,0.90000
plain,flooding,0.3,1,200,10.000,0.60000,
plain,flooding,0.3,2,200,10.000,0.61000,1.10000
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

/// Writes a file of the lab.
pub fn lab_file(folder: &TempDir) -> PathBuf {
    write_file(folder, "curves.csv", &format!("{CURVES_HEADER}{LAB}"))
}

/// Writes a server's history.
pub fn history_file(folder: &TempDir) -> PathBuf {
    write_file(folder, "history.csv", HISTORY)
}

/// Writes a text file, and returns its path.
pub fn write_file(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, text).expect("a writable folder");
    path
}

/// Opens the page, and waits until it is ready.
pub async fn open(page: &Page, server: &ServerProcess, query: &str) {
    page.wait_for("idle").await;
    page.go_to(&format!("http://{}/compare/{query}", server.address()))
        .await;
    page.wait_until_true("'ready' in document.documentElement.dataset")
        .await;
}

/// Waits for a message that starts with this text.
pub async fn wait_for_message(page: &Page, text: &str) {
    page.wait_until_true(&format!(
        "document.getElementById('message').textContent.startsWith({text:?})"
    ))
    .await;
}

/// Returns the texts of the table by row.
async fn table(page: &Page) -> Vec<Vec<String>> {
    let rows = page
        .run(
            "const rows = [...document.querySelectorAll('#table tr')];
             return rows.map((row) => [...row.cells].map((cell) => cell.innerText))",
        )
        .await;
    let text = |cell: &Value| {
        cell.as_str()
            .expect("a text")
            .replace(['\u{a0}', '\n'], " ")
    };
    let rows = rows.as_array().expect("rows").iter();
    rows.map(|row| row.as_array().expect("cells").iter().map(text).collect())
        .collect()
}

/// Returns the labels of the curves, and whether each is shown.
async fn legend(page: &Page) -> Value {
    page.run(
        "return [...document.querySelectorAll('#legend li')]
           .map((item) => [item.querySelector('.label').textContent, item.querySelector('input').checked])",
    )
    .await
}

/// Returns the text alternative of the chart.
async fn chart_label(page: &Page) -> String {
    let label = page
        .run("return document.getElementById('chart').getAttribute('aria-label')")
        .await;
    label.as_str().expect("a text").replace('\u{a0}', " ")
}

#[test]
fn lab_and_server_curves_are_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    test_page(&["--model", "softmax"], async |page, server| {
        open(page, server, "").await;
        page.choose_files("choose", &[lab_file(&folder), history_file(&folder)])
            .await;
        wait_for_message(page, "Opened curves (2 methods, 8 runs)").await;
        assert_eq!(
            legend(page).await,
            json!([["plain", true], ["vote", true], ["history", true]])
        );
        let rows = table(page).await;
        let header = [
            "Curve",
            "Accuracy",
            "Loss",
            "Updates",
            "Time",
            "Seeds",
            "Worst at 30 %",
        ];
        assert_eq!(rows[0], header);
        let plain = [
            "plain",
            "85.0 ± 7.1 %",
            "0.500 ± 0.141",
            "200",
            "11 s",
            "2",
            "60.5 % flooding",
        ];
        assert_eq!(rows[1], plain);
        assert_eq!(
            rows[2],
            [
                "vote",
                "75.0 ± 0.0 %",
                "0.800 ± 0.000",
                "200",
                "10 s",
                "2",
                "–"
            ]
        );
        assert_eq!(
            rows[3],
            [
                "history",
                "90.2 %",
                "0.400",
                "3,000",
                "3 min 20 s",
                "1",
                "–"
            ]
        );
        assert!(
            chart_label(page)
                .await
                .starts_with("Held-out accuracy over updates. plain ends at 85.0")
        );
    });
}

#[test]
fn attack_fraction_and_axes_select_curves() {
    let folder = tempfile::tempdir().expect("a folder");
    test_page(&["--model", "softmax"], async |page, server| {
        open(page, server, "").await;
        page.choose_files("choose", &[lab_file(&folder)]).await;
        wait_for_message(page, "Opened").await;
        page.set("attack", "value = 'sign-flip'", "change").await;
        assert_eq!(
            page.run("return document.getElementById('fraction').value")
                .await,
            "0.3"
        );
        let rows = table(page).await;
        assert_eq!(rows[1][..3], ["plain", "71.0 ± 1.4 %", "0.900 ± 0.000"]);
        assert_eq!(rows[2][..3], ["vote", "–", "–"], "no run under this attack");
        page.set("attack", "value = 'worst'", "change").await;
        page.run("document.querySelector('input[value=loss]').click()")
            .await;
        page.run("document.querySelector('input[value=seconds]').click()")
            .await;
        let rows = table(page).await;
        assert_eq!(
            rows[1][..3],
            ["plain: flooding", "60.5 ± 0.7 %", "–"],
            "one loss is not finite"
        );
        assert!(
            chart_label(page)
                .await
                .starts_with("Held-out loss over seconds. plain: flooding ends at –")
        );
    });
}

#[test]
fn curves_hide_and_files_rename_close() {
    let folder = tempfile::tempdir().expect("a folder");
    test_page(&["--model", "softmax"], async |page, server| {
        open(page, server, "").await;
        page.choose_files("choose", &[lab_file(&folder)]).await;
        wait_for_message(page, "Opened").await;
        page.choose_files("choose", &[lab_file(&folder)]).await;
        wait_for_message(page, "Opened curves 2").await;
        page.run("document.querySelectorAll('#legend input')[3].click()")
            .await;
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
        page.run("document.querySelector('#files button').click()")
            .await;
        assert_eq!(
            legend(page).await,
            json!([["plain", true], ["vote", false]])
        );
    });
}

#[test]
fn invalid_csv_reports_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let invalid = |name: &str, text: &str| write_file(&folder, name, text);
    let head = CURVES_HEADER.trim_end();
    let files = [
        invalid("words.csv", "Dear diary,\n"),
        invalid("empty.csv", ""),
        invalid("head.csv", CURVES_HEADER),
        invalid("short.csv", &format!("{head}\nplain,none,0,1,0\n")),
        invalid(
            "accuracy.csv",
            &format!("{head}\nplain,none,0,1,0,0.0,1.5,2.3\n"),
        ),
        invalid(
            "back.csv",
            "accepted,elapsed_s,accuracy,loss\n5,1,0.1,2\n4,2,0.2,1\n",
        ),
        history_file(&folder),
    ];
    test_page(&["--model", "softmax"], async |page, server| {
        open(page, server, "").await;
        page.choose_files("choose", &files).await;
        wait_for_message(page, "Opened history (2 measurements).").await;
        let errors = page
            .run("return [...document.querySelectorAll('#errors li')].map(({ textContent }) => textContent)")
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
            "accuracy.csv, line 2: expected accuracy from 0 to 1, found “1.5”.",
            "back.csv, line 3: expected accepted of at least 5, found “4”.",
        ]);
        assert_eq!(errors, expected);
        assert_eq!(legend(page).await, json!([["history", true]]));
    });
}

#[test]
fn link_and_button_open_own_history() {
    test_page(&["--model", "softmax"], async |page, server| {
        page.start_at_full_effort().await;
        page.wait_until("a curve", |state| state.count("own-accepted") > 300.0)
            .await;
        page.press("stop").await;
        page.wait_for("stopped").await;
        page.reload().await;
        open(page, server, "?run=../api/v1/history.csv").await;
        wait_for_message(page, "Opened history (").await;
        let accepted = table(page).await[1][3]
            .replace(',', "")
            .parse::<u64>()
            .expect("a number of updates");
        assert!(
            (1..=server.status()["accepted"].as_u64().expect("a count")).contains(&accepted),
            "{accepted}"
        );
        page.press("own-history").await;
        page.wait_until_true("document.querySelectorAll('#legend li').length === 2")
            .await;
    });
}

#[test]
fn dropped_files_open() {
    test_page(&["--model", "softmax"], async |page, server| {
        open(page, server, "").await;
        page.run(&format!(
            "const dropped = new DataTransfer();
             dropped.items.add(new File([{HISTORY:?}], 'history.csv', {{ type: 'text/csv' }}));
             const options = {{ dataTransfer: dropped, bubbles: true, cancelable: true }};
             document.getElementById('chart').dispatchEvent(new DragEvent('drop', options))"
        ))
        .await;
        wait_for_message(page, "Opened history (2 measurements)").await;
    });
}

/// An address of another server is an error like an invalid file, and is not requested.
#[test]
fn link_opens_only_own_server() {
    test_page(&["--model", "softmax"], async |page, server| {
        open(
            page,
            server,
            "?run=/api/v1/status&run=https://example.org/history.csv",
        )
        .await;
        wait_for_message(page, "No file was opened.").await;
        let errors = page.text("errors").await;
        assert!(
            errors.contains("status, line 1: expected the columns"),
            "{errors}"
        );
        let other = format!(
            "https://example.org/history.csv: expected an address of http://{}, found another.",
            server.address()
        );
        assert!(errors.contains(&other), "{errors}");
    });
}
