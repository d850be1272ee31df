//! `farsign lab`: runs, comparisons, reports and errors.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::farsign::farsign;

const SCENARIO: &str = r#"
[run]
updates = 60
evaluate_every = 30
curve_images = 200
seeds = [1, 2, 3]
byzantine_fractions = [0.3]
breaking_distance = 0.5

[fleet]
workers = 10

[tuning]
updates = 1
seeds = [9]
factors = [1.0]
cases = []

[[methods]]
name = "plain"
learning_rate = 3e-3
batch = 16
kind.far-sign = { rule = "plain" }

[[attacks]]
kind = "sign-flip"
"#;

fn lab(folder: &Path, arguments: &[&str]) -> Output {
    farsign(&["lab"])
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the program starts")
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn expect_success(folder: &Path, arguments: &[&str]) -> String {
    let output = lab(folder, arguments);
    let text = text(&output);
    assert!(output.status.success(), "{text}");
    text
}

fn expect_failure(folder: &Path, arguments: &[&str]) -> String {
    let output = lab(folder, arguments);
    let text = text(&output);
    assert!(!output.status.success(), "{text}");
    text
}

#[test]
fn scenario_runs_and_compares() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tiny.toml"), SCENARIO).unwrap();
    let run = [
        "run",
        "tiny.toml",
        "--out",
        "one",
        "--seeds",
        "2",
        "--threads",
        "1",
    ];
    let output = expect_success(folder.path(), &run);
    assert!(
        output.contains("worst at 0.3") && output.contains("sign-flip"),
        "{output}"
    );
    assert_eq!(
        fs::read_dir(folder.path().join("one/runs"))
            .unwrap()
            .count(),
        2 * 2
    );

    expect_success(
        folder.path(),
        &["run", "tiny.toml", "--out", "two", "--seeds", "1"],
    );
    let output = expect_success(folder.path(), &["compare", "one", "two"]);
    let rows = output
        .lines()
        .filter(|line| line.starts_with("plain"))
        .collect::<Vec<_>>();
    assert!(
        rows.len() == 2 && rows[0].contains("one") && rows[1].contains("two"),
        "{output}"
    );
}

#[test]
fn reports_are_written_with_plots() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tiny.toml"), SCENARIO).unwrap();
    expect_success(
        folder.path(),
        &["run", "tiny.toml", "--out", "one", "--seeds", "2"],
    );
    let read = |name: &str| {
        fs::read_to_string(folder.path().join(name))
            .unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let documents: [(&[&str], &str); 3] = [
        (&["report", "one", "--out", "tiny.md"], "sign-flip"),
        (&["compare", "one", "one", "--out", "two.md"], "suite"),
        (
            &[
                "convergence",
                "--updates",
                "1000",
                "--seeds",
                "1",
                "--out",
                "rate.md",
            ],
            "first, beta constant",
        ),
    ];
    for (arguments, word) in documents {
        let output = expect_success(folder.path(), arguments);
        let name = arguments.last().unwrap();
        let document = read(name);
        assert!(
            document.contains(word) && output.contains(name),
            "{document}"
        );
        for plot in document
            .split("](")
            .skip(1)
            .map(|rest| rest.split(')').next().unwrap())
        {
            assert!(read(plot).starts_with("<svg"), "{plot}");
        }
    }
}

#[test]
fn report_errors_name_their_cause() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tiny.toml"), SCENARIO).unwrap();
    expect_success(
        folder.path(),
        &["run", "tiny.toml", "--out", "one", "--seeds", "1"],
    );
    let output = expect_failure(folder.path(), &["report", "one", "--out", "tiny.txt"]);
    assert!(
        output.contains("expected the name of a .md file"),
        "{output}"
    );
    let output = expect_failure(folder.path(), &["report", "missing", "--out", "tiny.md"]);
    assert!(output.contains("found no manifest.json"), "{output}");
    let output = expect_failure(folder.path(), &["compare", "missing"]);
    assert!(output.contains("expected results of"), "{output}");
}

/// Runs a scenario that must fail.
fn expect_run_failure(scenario: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tiny.toml"), scenario).unwrap();
    expect_failure(
        folder.path(),
        &["run", "tiny.toml", "--out", "out", "--seeds", "1"],
    )
}

#[test]
fn invalid_scenario_reports_all_errors() {
    let scenario = SCENARIO
        .replace("workers = 10", "workers = 1")
        .replace("batch = 16", "batch = 0");
    let output = expect_run_failure(&scenario);
    for error in [
        "fleet.workers: expected at least 2, found 1",
        "methods.plain.batch: expected at least 1",
    ] {
        assert!(output.contains(error), "{error} in {output}");
    }
}

#[test]
fn violated_assertion_fails_run() {
    let assertion = "[[assertions]]\nmethod = \"plain\"\nis.at-least = 0.999\n";
    let output = expect_run_failure(&format!("{SCENARIO}\n{assertion}"));
    assert!(
        output.contains("plain without an attack: expected at least 0.9990, found"),
        "{output}"
    );
}

#[cfg(unix)]
#[test]
fn signal_leaves_only_whole_files() {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::Stdio;

    let folder = tempfile::tempdir().unwrap();
    let scenario = SCENARIO.replace("updates = 60", "updates = 6000");
    fs::write(folder.path().join("long.toml"), scenario).unwrap();
    let run = ["lab", "run", "long.toml", "--out", "out", "--seeds", "1000"];
    let child = farsign(&run)
        .current_dir(folder.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let results = folder.path().join("out/runs");
    let count = || fs::read_dir(&results).map_or(0, Iterator::count);
    while count() == 0 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    crate::process::send_signal(&child, "TERM");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.signal(), Some(15));
    assert!(text(&output).contains("The same command resumes"));
    for entry in fs::read_dir(&results).unwrap() {
        let path = entry.unwrap().path();
        let result: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert!(result.is_object(), "{}", path.display());
    }
}
