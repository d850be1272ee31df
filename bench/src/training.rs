//! Section `training`: whole runs with the real programs, from the first accepted contribution to an accuracy.

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::machine::Machine;
use crate::report::{Row, Section};
use crate::whole_run::whole_run;

/// Runs of each kind. All have seed 1 and differ in the order in which answers arrive.
const RUNS: usize = 3;
/// Volunteers, native ones on this machine.
const WORKERS: usize = 8;

/// What is run: its name, its settings, and the accuracies in percent whose time is told.
const KINDS: [(&str, &[&str], &[u32]); 3] = [
    ("softmax", &["--model", "softmax"], &[80, 90]),
    ("softmax, zeroth order", &["--model", "softmax", "--order", "zeroth"], &[80]),
    ("mlp", &["--model", "mlp"], &[80, 90, 95]),
];

const ABOUT: &str = "\
`farsign serve --seed 1` and `farsign volunteer --workers 8` on the same machine, over loopback, with all other \
settings at their defaults. Told are seconds from the first accepted contribution to the first evaluation on held-out images at \
or above the accuracy, from `held_out.history` in `/api/v1/status`. Evaluations take at most a fifth of one core, so \
that a time is late by as much as one evaluation and the rest after it: with MNIST's 10,000 test images so much that \
two goals can fall on one evaluation. Where not every run got so far, the row says \
how many did.

This is limited by the volunteers' answers (section `browser`, native), as server and volunteers share this machine's \
cores: with more of them, or with volunteers on other machines, until the task that applies answers is busy.";

/// Measures.
///
/// # Errors
/// When the volunteers cannot be started or the status has no history.
pub fn run(machine: &Machine) -> Result<Section> {
    let mut data = vec![("built-in digits", None)];
    data.extend(
        machine.paths.data.as_ref().map(|folder| ("all of MNIST", Some(folder.display().to_string()))),
    );
    let mut rows = Vec::new();
    for (data, folder) in &data {
        for (kind, settings, goals) in KINDS {
            let mut arguments = settings.to_vec();
            arguments.extend(folder.as_deref().map(|folder| ["--data", folder]).into_iter().flatten());
            let mut runs = Vec::new();
            for round in 1..=RUNS {
                eprintln!("  {kind}, {data}, run {round} of {RUNS}");
                runs.push(history(machine, &arguments)?);
            }
            rows.extend(tell(&format!("{kind}, {data}"), goals, &runs));
        }
    }
    let title = "Seconds to an accuracy".to_owned();
    Ok(Section { name: "training", title, about: ABOUT.to_owned(), rows, ratios: Vec::new() })
}

/// An evaluation: seconds since the first contribution, and the share of held-out images that was right.
type Point = (f64, f64);

/// One run to its end.
fn history(machine: &Machine, settings: &[&str]) -> Result<Vec<Point>> {
    let status = whole_run(machine, settings, WORKERS, &[]);
    let points = status["held_out"]["history"].as_array().context("the status has no history")?;
    let point = |point: &Value| Some((point["elapsed_s"].as_f64()?, point["accuracy"].as_f64()?));
    points.iter().map(|found| point(found).context("the history has other points")).collect()
}

/// A row for each goal that was reached, and one for the whole run.
fn tell(what: &str, goals: &[u32], runs: &[Vec<Point>]) -> Vec<Row> {
    let reached = |goal: u32| -> Option<Row> {
        let of = |run: &Vec<Point>| run.iter().find(|point| point.1 * 100.0 >= f64::from(goal)).map(|p| p.0);
        let times: Vec<f64> = runs.iter().filter_map(of).collect();
        let all = times.len() == runs.len();
        let note = if all { String::new() } else { format!(" ({} of {} runs)", times.len(), runs.len()) };
        (!times.is_empty()).then(|| Row::of(format!("{what}: {goal} %{note}"), "s", &times))
    };
    let ends: Vec<Point> = runs.iter().filter_map(|run| run.last().copied()).collect();
    let mut rows: Vec<Row> = goals.iter().filter_map(|&goal| reached(goal)).collect();
    let seconds: Vec<f64> = ends.iter().map(|end| end.0).collect();
    let percent: Vec<f64> = ends.iter().map(|end| end.1 * 100.0).collect();
    rows.push(Row::of(format!("{what}: the whole run"), "s", &seconds));
    rows.push(Row::of(format!("{what}: accuracy at its end"), "%", &percent));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_told_from_the_first_evaluation_at_or_above_it() {
        let runs = [vec![(0.0, 0.1), (1.0, 0.8), (2.0, 0.7), (3.0, 0.91)], vec![(0.0, 0.1), (2.0, 0.85)]];
        let rows = tell("x", &[80, 90, 95], &runs);
        let told: Vec<(&str, f64, f64)> =
            rows.iter().map(|row| (row.what.as_str(), row.least, row.most)).collect();
        let expected = [
            ("x: 80 %", 1.0, 2.0),
            ("x: 90 % (1 of 2 runs)", 3.0, 3.0),
            ("x: the whole run", 2.0, 3.0),
            ("x: accuracy at its end", 85.0, 91.0),
        ];
        assert_eq!(told, expected);
    }
}
