//! `farsign lab` as a researcher meets it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const SCENARIO: &str = r#"
[run]
messages = 60
evaluate_every = 30
curve_images = 200
seeds = [1, 2, 3]
shares = [0.3]
breaking_distance = 0.5

[fleet]
workers = 10

[tuning]
messages = 1
seeds = [9]
factors = [1.0]
cases = []

[[methods]]
name = "plain"
rate = 3e-3
batch = 16
kind.far-sign = { rule = "plain" }

[[attacks]]
kind = "sign-flip"
"#;

fn lab(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_farsign"));
    command.arg("lab").args(arguments).current_dir(folder).output().expect("the program starts")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_scenario_is_run_and_its_results_compared() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tiny.toml"), SCENARIO).unwrap();
    let run = lab(folder.path(), &["run", "tiny.toml", "--out", "one", "--seeds", "2", "--threads", "1"]);
    assert!(run.status.success(), "{}", said(&run));
    assert!(said(&run).contains("worst at 0.3") && said(&run).contains("sign-flip"), "{}", said(&run));
    assert_eq!(fs::read_dir(folder.path().join("one/runs")).unwrap().count(), 2 * 2);

    let again = lab(folder.path(), &["run", "tiny.toml", "--out", "two", "--seeds", "1"]);
    assert!(again.status.success(), "{}", said(&again));
    let compared = said(&lab(folder.path(), &["compare", "one", "two"]));
    let rows = compared.lines().filter(|line| line.starts_with("plain")).collect::<Vec<_>>();
    assert!(rows.len() == 2 && rows[0].contains("one") && rows[1].contains("two"), "{compared}");
}

#[test]
fn results_are_written_up_with_the_plots_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tiny.toml"), SCENARIO).unwrap();
    let run = lab(folder.path(), &["run", "tiny.toml", "--out", "one", "--seeds", "2"]);
    assert!(run.status.success(), "{}", said(&run));
    let read = |name: &str| {
        fs::read_to_string(folder.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let documents: [(&[&str], &str); 3] = [
        (&["report", "one", "--out", "tiny.md"], "sign-flip"),
        (&["compare", "one", "one", "--out", "two.md"], "campaign"),
        (&["rate", "--messages", "1000", "--seeds", "1", "--out", "rate.md"], "first, beta constant"),
    ];
    for (arguments, word) in documents {
        let written = lab(folder.path(), arguments);
        assert!(written.status.success(), "{}", said(&written));
        let name = arguments.last().unwrap();
        let text = read(name);
        assert!(text.contains(word) && said(&written).contains(name), "{text}");
        for plot in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            assert!(read(plot).starts_with("<svg"), "{plot}");
        }
    }
    let wrong = lab(folder.path(), &["report", "one", "--out", "tiny.txt"]);
    assert!(
        !wrong.status.success() && said(&wrong).contains("expected the name of a .md file"),
        "{}",
        said(&wrong)
    );
    let empty = lab(folder.path(), &["report", "nowhere", "--out", "tiny.md"]);
    assert!(!empty.status.success() && said(&empty).contains("found no manifest.json"), "{}", said(&empty));
}

#[test]
fn mistakes_and_missed_expectations_fail_and_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let run = |text: &str| {
        fs::write(folder.path().join("tiny.toml"), text).unwrap();
        let run =
            lab(folder.path(), &["run", "tiny.toml", "--out", &format!("{}", text.len()), "--seeds", "1"]);
        assert!(!run.status.success(), "{}", said(&run));
        said(&run)
    };
    let mistakes = run(&SCENARIO.replace("workers = 10", "workers = 1").replace("batch = 16", "batch = 0"));
    for mistake in ["fleet.workers: expected at least 2, found 1", "methods.plain.batch: expected at least 1"]
    {
        assert!(mistakes.contains(mistake), "{mistake} in {mistakes}");
    }
    let missed = run(&format!("{SCENARIO}\n[[expectations]]\nmethod = \"plain\"\nis.at-least = 0.999\n"));
    assert!(missed.contains("plain without liars: expected at least 0.9990, found"), "{missed}");
    let empty = lab(folder.path(), &["compare", "nowhere"]);
    assert!(!empty.status.success() && said(&empty).contains("expected results of"), "{}", said(&empty));
}
