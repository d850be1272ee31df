//! Reports on a small campaign that is run for them.

use std::collections::BTreeSet;

use super::*;
use crate::campaign::{self, CampaignOptions};
use crate::testing::digits;

const SCENARIO: &str = r#"
[run]
messages = 200
evaluate_every = 40
curve_images = 200
seeds = [1, 2]
shares = [0.2, 0.4]
breaking_distance = 0.1
[fleet]
workers = 10
spread = 0.5
[tuning]
factors = [1.0]
messages = 1
seeds = [100]
cases = []
[[methods]]
name = "plain"
rate = 5e-3
batch = 16
kind.far-sign = { rule = "plain" }
[[methods]]
name = "verified"
rate = 5e-3
batch = 16
kind.far-sign = { rule = { verified = { check_share = 0.02 } } }
[[methods]]
name = "alone"
rate = 5e-3
batch = 16
kind.control = {}
[[attacks]]
kind = "sign-flip"
[[attacks]]
kind = "random"
"#;

fn archive(folder: &std::path::Path) -> Archive {
    let (train, test) = digits();
    let options =
        CampaignOptions { scenario: SCENARIO.to_owned(), seeds: None, threads: Some(2), fault: None };
    campaign::run(&options, &train, &test, folder).unwrap();
    Archive::read(folder).unwrap()
}

/// The tables of a text, row by row, cell by cell; without rules.
fn tables(text: &str) -> Vec<Vec<Vec<String>>> {
    let (mut tables, mut inside): (Vec<Vec<Vec<String>>>, bool) = (Vec::new(), false);
    for line in text.lines() {
        if line.starts_with("| ") {
            if !inside {
                tables.push(Vec::new());
            }
            let cells = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned());
            tables.last_mut().unwrap().push(cells.collect());
        }
        inside = line.starts_with('|');
    }
    tables
}

#[test]
fn a_report_says_what_the_results_are() {
    let folder = tempfile::tempdir().unwrap();
    let archive = archive(folder.path());
    let files = report(&archive, "out");
    assert_eq!(files, report(&Archive::read(folder.path()).unwrap(), "out"), "the same results, other bytes");

    let text = &files[0].text;
    let tables = tables(text);
    assert_eq!(tables.len(), 1 + 2 + 1 + 1 + 1, "overview, a table a share, speed, checks, rates");
    for (number, table) in tables.iter().enumerate() {
        let control =
            table.iter().find(|row| row[0] == "alone (control)").expect("the control is in every table");
        let clean = archive.summary.method("alone").unwrap().clean.accuracy;
        let told = if number < 5 { table::accuracy(clean) } else { "5.00e-3".to_owned() }; // the last has rates
        assert!(control.contains(&told), "{control:?}");
        assert!(table.iter().all(|row| row.len() == table[0].len()), "{table:?}");
    }
    for (table, share) in tables[1..3].iter().zip([0.2, 0.4]) {
        assert_eq!(table[0], ["method", "no liars", "sign-flip", "random"]);
        for row in &table[1..3] {
            let method = archive.summary.method(&row[0]).unwrap();
            let accuracy = |attack| method.condition(Some(attack), share).unwrap().accuracy;
            let worst = usize::from(accuracy("random").mean < accuracy("sign-flip").mean);
            for (n, attack) in ["sign-flip", "random"].into_iter().enumerate() {
                let plain = table::accuracy(accuracy(attack));
                let expected = if n == worst { format!("**{plain}**") } else { plain };
                assert_eq!(row[2 + n], expected, "{row:?}");
            }
        }
    }
    let verified = archive.summary.method("verified").unwrap();
    assert_eq!(tables[4][1][2], table::percent(verified.clean.recomputed.mean));
    assert!(tables[4].iter().all(|row| row[0] != "plain"), "plain checks nothing");
}

#[test]
fn every_plot_is_shown_and_names_every_method() {
    let folder = tempfile::tempdir().unwrap();
    let archive = archive(folder.path());
    let single = report(&archive, "out");
    let two = comparison(&[("one", &archive), ("other", &archive)], "two");
    for (files, names) in
        [(single, vec!["plain", "verified", "alone"]), (two, vec!["plain, one", "plain, other"])]
    {
        let shown: BTreeSet<&str> =
            files[0].text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
        let written: BTreeSet<&str> = files[1..].iter().map(|file| file.name.as_str()).collect();
        assert_eq!(shown, written);
        for file in &files[1..] {
            for name in &names {
                assert!(file.text.contains(&format!(">\n{name}\n")), "{} does not name {name}", file.name);
            }
        }
    }
}

#[test]
fn a_share_is_told_with_as_many_digits_as_it_needs() {
    assert_eq!([0.3, 0.125, 0.0].map(table::percent), ["30 %", "12.5 %", "0 %"]);
}
