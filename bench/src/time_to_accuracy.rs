//! Section `time-to-accuracy`: complete runs of the real programs, from the first accepted update to an accuracy.

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::end_to_end::run_to_end;
use crate::machine::Machine;
use crate::report::{Row, Section};

/// Name of the section.
pub const NAME: &str = "time-to-accuracy";
/// Number of runs per workload. All have seed 1 and differ in the order of updates.
const RUNS: usize = 3;
/// Number of native volunteers on this machine.
const WORKERS: usize = 8;

/// Workloads: name, settings, and goals as accuracies in percent.
const WORKLOADS: [(&str, &[&str], &[u32]); 3] = [
    ("softmax", &["--model", "softmax"], &[80, 90]),
    (
        "softmax, zeroth order",
        &["--model", "softmax", "--order", "zeroth"],
        &[80],
    ),
    ("mlp", &["--model", "mlp"], &[80, 90, 95]),
];

const ABOUT: &str = "\
`farsign serve --seed 1` and `farsign volunteer --workers 8` on the same machine, over loopback, with default \
settings otherwise. The time runs from the first accepted update to the first evaluation on held-out images at or \
above the accuracy (`held_out.history` of `/api/v1/status`). Evaluations use at most a fifth of one core, so a time \
is late by up to one evaluation and the pause after it. With MNIST's 10,000 test images, two goals can therefore be \
reached at the same evaluation. A row names the number of runs if not all of them reached the goal.

The volunteers' computation is the bottleneck (section `browser`, native), because server and volunteers share this \
machine's cores. More cores, or volunteers on other machines, help until the coordinator of the server is busy.";

/// Measures the section.
///
/// # Errors
///
/// Returns an error if the volunteers cannot be started or the status has no history.
pub fn run(machine: &Machine) -> Result<Section> {
    let mut data = vec![("built-in digits", None)];
    data.extend(
        machine
            .paths
            .data
            .as_ref()
            .map(|folder| ("all of MNIST", Some(folder.display().to_string()))),
    );
    let mut rows = Vec::new();
    for (data, folder) in &data {
        for (workload, settings, goals) in WORKLOADS {
            let mut arguments = settings.to_vec();
            arguments.extend(
                folder
                    .as_deref()
                    .map(|folder| ["--data", folder])
                    .into_iter()
                    .flatten(),
            );
            let mut runs = Vec::new();
            for round in 1..=RUNS {
                eprintln!("  {workload}, {data}, run {round} of {RUNS}");
                runs.push(history(machine, &arguments)?);
            }
            rows.extend(summarize(&format!("{workload}, {data}"), goals, &runs));
        }
    }
    let title = "Time to an accuracy".to_owned();
    Ok(Section {
        name: NAME,
        title,
        about: ABOUT.to_owned(),
        tables: Vec::new(),
        rows,
        ratios: Vec::new(),
    })
}

/// An evaluation: seconds since the first accepted update, and the held-out accuracy, 0 to 1.
type Point = (f64, f64);

/// Returns the evaluations of one complete run.
fn history(machine: &Machine, settings: &[&str]) -> Result<Vec<Point>> {
    let status = run_to_end(machine, settings, WORKERS, &[]);
    let points = status["held_out"]["history"]
        .as_array()
        .context("the status has no history")?;
    let point = |point: &Value| Some((point["elapsed_s"].as_f64()?, point["accuracy"].as_f64()?));
    points
        .iter()
        .map(|found| point(found).context("the history has a malformed point"))
        .collect()
}

/// Returns a row for each goal that was reached, and rows for the complete run.
fn summarize(what: &str, goals: &[u32], runs: &[Vec<Point>]) -> Vec<Row> {
    let reached = |goal: u32| -> Option<Row> {
        let of = |run: &Vec<Point>| {
            run.iter()
                .find(|point| point.1 * 100.0 >= f64::from(goal))
                .map(|p| p.0)
        };
        let times: Vec<f64> = runs.iter().filter_map(of).collect();
        let all = times.len() == runs.len();
        let note = if all {
            String::new()
        } else {
            format!(" ({} of {} runs)", times.len(), runs.len())
        };
        (!times.is_empty()).then(|| Row::new(format!("{what}: {goal} %{note}"), "s", &times))
    };
    let ends: Vec<Point> = runs.iter().filter_map(|run| run.last().copied()).collect();
    let mut rows: Vec<Row> = goals.iter().filter_map(|&goal| reached(goal)).collect();
    let seconds: Vec<f64> = ends.iter().map(|end| end.0).collect();
    let percent: Vec<f64> = ends.iter().map(|end| end.1 * 100.0).collect();
    rows.push(Row::new(format!("{what}: complete run"), "s", &seconds));
    rows.push(Row::new(format!("{what}: final accuracy"), "%", &percent));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goal_time_is_first_evaluation_above() {
        let runs = [
            vec![(0.0, 0.1), (1.0, 0.8), (2.0, 0.7), (3.0, 0.91)],
            vec![(0.0, 0.1), (2.0, 0.85)],
        ];
        let rows = summarize("x", &[80, 90, 95], &runs);
        let summary: Vec<(&str, f64, f64)> = rows
            .iter()
            .map(|row| (row.what.as_str(), row.min, row.max))
            .collect();
        let expected = [
            ("x: 80 %", 1.0, 2.0),
            ("x: 90 % (1 of 2 runs)", 3.0, 3.0),
            ("x: complete run", 2.0, 3.0),
            ("x: final accuracy", 85.0, 91.0),
        ];
        assert_eq!(summary, expected);
    }
}
