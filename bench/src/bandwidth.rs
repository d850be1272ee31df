//! Section `bandwidth`: bytes per update in both directions, and the accuracy with half precision.

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::end_to_end::run_to_end;
use crate::machine::Machine;
use crate::report::{Ratio, Row, Section};

/// Name of the section.
pub const NAME: &str = "bandwidth";
/// Number of runs per workload. All have seed 1 and differ in the order of updates.
const RUNS: usize = 3;

/// A workload: a run with its sizes.
struct Workload {
    name: &'static str,
    /// Settings of the server.
    settings: &'static [&'static str],
    /// Number of parameters, `d`.
    d: usize,
    /// Number of signs of an update, `K`.
    directions: usize,
}

const WORKLOADS: [Workload; 3] = [
    Workload {
        name: "softmax",
        settings: &["--model", "softmax"],
        d: 7_850,
        directions: 7_850,
    },
    Workload {
        name: "mlp",
        settings: &[],
        d: 101_770,
        directions: 101_770,
    },
    Workload {
        name: "softmax, zeroth order",
        settings: &["--model", "softmax", "--order", "zeroth", "--batch", "64"],
        d: 7_850,
        directions: 64,
    },
];

const ABOUT: &str = "\
Complete runs of 2,000 updates with the real programs over loopback. The server counts the bytes of all WebSocket \
frames it sends and receives (`traffic` of `/api/v1/status`), including the first version of each volunteer. The \
sums are divided by the number of updates, including the few received after the end of the run. A WebSocket header \
adds 6 to 8 bytes to an update and 2 to 10 to a reply. For comparison: a full gradient in 32-bit floats, one way (`4 \
d`). Systems that average weights, such as DISCO, upload and download that much for every update.

Each task carries the difference of the volunteer's version to the newest one: one to two bits per parameter, for any \
number of volunteers.";

/// Measures the section.
///
/// # Errors
///
/// Returns an error if the volunteers cannot be started or the status lacks a count.
pub fn run(machine: &Machine) -> Result<Section> {
    let mut rows = Vec::new();
    let mut ratios = Vec::new();
    for workload in &WORKLOADS {
        let name = workload.name;
        let gradient = Row::new(
            format!("{name}: full f32 gradient"),
            "B",
            &[4.0 * workload.d as f64],
        );
        for workers in [4, 32] {
            eprintln!("  {name}, {workers} volunteers");
            let settings = [workload.settings, &["--horizon", "2000"]].concat();
            let ends = (0..RUNS)
                .map(|_| run_to_end(machine, &settings, workers, &[]))
                .collect::<Vec<_>>();
            let row = |what: &str, path: &str| -> Result<Row> {
                let samples = ends
                    .iter()
                    .map(|end| bytes_per_update(end, path))
                    .collect::<Result<Vec<_>>>()?;
                Ok(Row::new(
                    format!("{name}, {workers} volunteers: {what}"),
                    "B",
                    &samples,
                ))
            };
            let up = row("upload", "/traffic/received_bytes")?;
            let down = row("download", "/traffic/sent_bytes")?;
            if workers == 4 {
                let limit = workload.directions as f64 / 8.0 + 32.0;
                let what = format!("{name}: upload over K / 8 + 32 bytes");
                ratios.push(Ratio {
                    what,
                    value: up.median / limit,
                    target: Some("at most 1".to_owned()),
                });
            }
            let target = (workers == 4).then_some("at least 5");
            let what = format!("{name}, {workers} volunteers: full gradient over download");
            ratios.push(Ratio::new(what, &gradient, &down, target));
            rows.extend([up, down]);
        }
        rows.push(gradient);
    }
    let title = "Bytes of an update".to_owned();
    Ok(Section {
        name: NAME,
        title,
        about: ABOUT.to_owned(),
        tables: Vec::new(),
        rows,
        ratios,
    })
}

/// Returns the bytes per update, over all received updates, including those after the end of the run.
fn bytes_per_update(end: &Value, path: &str) -> Result<f64> {
    let rejected = end["rejected"]
        .as_object()
        .context("the status has no rejected updates")?;
    let rejected: u64 = rejected.values().filter_map(Value::as_u64).sum();
    Ok(number(end, path)? / (number(end, "/accepted")? + rejected as f64))
}

fn number(status: &Value, path: &str) -> Result<f64> {
    status
        .pointer(path)
        .and_then(Value::as_f64)
        .with_context(|| format!("the status has no number at {path}"))
}
