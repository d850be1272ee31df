//! Reports on a small suite.

use std::collections::BTreeSet;

use super::*;
use crate::suite::{self, SuiteOptions};
use crate::testing::digits;

const SCENARIO: &str = r#"
[run]
updates = 200
evaluate_every = 40
curve_images = 200
seeds = [1, 2]
byzantine_fractions = [0.2, 0.4]
breaking_distance = 0.1
[fleet]
workers = 10
spread = 0.5
[tuning]
factors = [1.0]
updates = 1
seeds = [100]
cases = []
[[methods]]
name = "plain"
learning_rate = 5e-3
batch = 16
kind.far-sign = { rule = "plain" }
[[methods]]
name = "verified"
learning_rate = 5e-3
batch = 16
kind.far-sign = { rule = { verified = { verify_probability = 0.02 } } }
[[methods]]
name = "alone"
learning_rate = 5e-3
batch = 16
kind.centralized = {}
[[attacks]]
kind = "sign-flip"
[[attacks]]
kind = "random-sign"
"#;

fn results(dir: &std::path::Path) -> SuiteResults {
    results_of(SCENARIO, dir)
}

fn results_of(scenario: &str, dir: &std::path::Path) -> SuiteResults {
    let (train, test) = digits();
    let options = SuiteOptions {
        scenario: scenario.to_owned(),
        seeds: None,
        threads: Some(2),
        fault: None,
    };
    suite::run(&options, &train, &test, dir).unwrap();
    SuiteResults::read(dir).unwrap()
}

/// Returns the tables of a text by row and cell, without rules.
fn parsed_tables(text: &str) -> Vec<Vec<Vec<String>>> {
    let mut tables: Vec<Vec<Vec<String>>> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if line.starts_with("| ") {
            if !inside {
                tables.push(Vec::new());
            }
            let cells = line
                .trim_matches('|')
                .split('|')
                .map(|cell| cell.trim().to_owned());
            tables.last_mut().unwrap().push(cells.collect());
        }
        inside = line.starts_with('|');
    }
    tables
}

#[test]
fn report_tables_match_results() {
    let dir = tempfile::tempdir().unwrap();
    let results = results(dir.path());
    let files = report(&results, "out");
    let again = report(&SuiteResults::read(dir.path()).unwrap(), "out");
    assert_eq!(files, again, "the same results, other bytes");

    let text = &files[0].text;
    let tables = parsed_tables(text);
    assert_eq!(
        tables.len(),
        1 + 2 + 1 + 1 + 1,
        "overview, fractions, speed, verification, learning rates"
    );
    for (number, table) in tables.iter().enumerate() {
        let reference = table
            .iter()
            .find(|row| row[0] == "alone (reference)")
            .expect("a reference row");
        let clean = results.summary.method("alone").unwrap().clean.accuracy;
        let expected = if number < 5 {
            accuracy(clean)
        } else {
            "5.00e-3".to_owned()
        };
        assert!(reference.contains(&expected), "{reference:?}");
        assert!(
            table.iter().all(|row| row.len() == table[0].len()),
            "{table:?}"
        );
    }
    for (table, fraction) in tables[1..3].iter().zip([0.2, 0.4]) {
        assert_eq!(
            table[0],
            ["method", "no attack", "sign-flip", "random-sign"]
        );
        for row in &table[1..3] {
            let method = results.summary.method(&row[0]).unwrap();
            let found = |attack| method.condition(Some(attack), fraction).unwrap().accuracy;
            let worst = usize::from(found("random-sign").mean < found("sign-flip").mean);
            for (n, attack) in ["sign-flip", "random-sign"].into_iter().enumerate() {
                let plain = accuracy(found(attack));
                let expected = if n == worst {
                    format!("**{plain}**")
                } else {
                    plain
                };
                assert_eq!(row[2 + n], expected, "{row:?}");
            }
        }
    }
    let verified = results.summary.method("verified").unwrap();
    assert_eq!(tables[4][1][2], percent(verified.clean.recomputed.mean));
    assert!(
        tables[4].iter().all(|row| row[0] != "plain"),
        "plain has no verification"
    );
}

#[test]
fn versions_and_task_sizes_have_tables() {
    let (world, _) = SCENARIO.split_once("[[methods]]").unwrap();
    let scenario = world.replace("[fleet]", "measure_differences = true\n[fleet]")
        + r#"
        [[methods]]
        name = "exact"
        learning_rate = 5e-3
        batch = 16
        kind.far-sign = { rule = "plain", parameters = "exact" }
        [[methods]]
        name = "sized"
        learning_rate = 5e-3
        batch = 16
        kind.far-sign = { rule = "plain", sized_tasks = true }
        "#;
    let dir = tempfile::tempdir().unwrap();
    let results = results_of(&scenario, dir.path());
    let text = &report(&results, "out")[0].text;
    let tables = parsed_tables(text);
    let [_, _, _, _, versions, sizes, _] = &tables[..] else {
        panic!("overview, two fractions, speed, versions, task sizes, learning rates: {text}")
    };
    let column = |n: usize| {
        versions[1..]
            .iter()
            .map(|row| row[n].as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(column(0), ["exact", "sized"]);
    assert_eq!(column(1), ["exact", "published"]);
    let bits = results
        .summary
        .method("sized")
        .unwrap()
        .clean
        .difference_bits
        .unwrap();
    assert!(versions[2][3].starts_with(&format!("{:.2} ±", bits.mean)));
    // A minibatch takes longer than two round trips, and there are no attacks.
    assert_eq!(sizes[1], ["sized", "16.0 ± 0.0", "–", "–"]);
    assert!(!text.contains("out-fraction.svg"), "a plot without attacks");
}

#[test]
fn plots_name_every_method() {
    let dir = tempfile::tempdir().unwrap();
    let results = results(dir.path());
    let single = report(&results, "out");
    let two = comparison(&[("one", &results), ("other", &results)], "two");
    for (files, names) in [
        (single, vec!["plain", "verified", "alone"]),
        (two, vec!["plain, one", "plain, other"]),
    ] {
        let linked: BTreeSet<&str> = files[0]
            .text
            .split("](")
            .skip(1)
            .map(|rest| rest.split(')').next().unwrap())
            .collect();
        let written: BTreeSet<&str> = files[1..].iter().map(|file| file.name.as_str()).collect();
        assert_eq!(linked, written);
        for file in &files[1..] {
            for name in &names {
                assert!(
                    file.text.contains(&format!(">\n{name}\n")),
                    "{} does not name {name}",
                    file.name
                );
            }
        }
    }
}

#[test]
fn percent_drops_trailing_zeros() {
    assert_eq!([0.3, 0.125, 0.0].map(percent), ["30 %", "12.5 %", "0 %"]);
}
