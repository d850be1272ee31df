//! Section `wire`: bytes of a contribution, up and down, and what half precision costs.

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::machine::Machine;
use crate::report::{Ratio, Row, Section};
use crate::whole_run::whole_run;

/// Runs of each kind. All have seed 1 and differ in the order in which answers arrive.
const RUNS: usize = 3;

/// A kind of run: name, settings of the server, parameters `d`, signs of an answer `K`.
struct Kind {
    name: &'static str,
    settings: &'static [&'static str],
    d: usize,
    directions: usize,
}

const KINDS: [Kind; 3] = [
    Kind { name: "softmax", settings: &["--model", "softmax"], d: 7_850, directions: 7_850 },
    Kind { name: "mlp", settings: &[], d: 101_770, directions: 101_770 },
    Kind {
        name: "softmax, losses only",
        settings: &["--model", "softmax", "--order", "zeroth", "--batch", "64"],
        d: 7_850,
        directions: 64,
    },
];

const ABOUT: &str = "\
Whole runs of 2,000 contributions with the real programs on loopback. Bytes are those of WebSocket messages, counted by \
the server (`traffic` of `/api/v1/status`) over everything it sent and received, the first snapshot of each volunteer \
included, and divided by the answers, the few that came after the end of the run included; a WebSocket header adds 6 to 8 bytes to an answer and 2 to 10 to a reply. \
Beside them stands what a full gradient in 32-bit floats takes, one way (`4 d`). Systems that average weights, as DISCO \
does, send as much up for every update, and as much down.

With a task go the steps since the volunteer's last one, a bit a parameter for the answer of each of the others in \
between. So the way down grows with the fleet, until a snapshot is shorter. Half precision (`--half-snapshots`) halves \
a snapshot and is never just the steps; the last rows compare the accuracy at the end of whole runs of the network with \
8 volunteers.";

/// Measures.
///
/// # Errors
/// When the volunteers cannot be started or the status lacks a count.
pub fn run(machine: &Machine) -> Result<Section> {
    let (mut rows, mut ratios) = (Vec::new(), Vec::new());
    for kind in &KINDS {
        let gradient = Row::of(format!("{}: a full f32 gradient", kind.name), "B", &[4.0 * kind.d as f64]);
        for workers in [4, 32] {
            eprintln!("  {}, {workers} volunteers", kind.name);
            let settings = [kind.settings, &["--horizon", "2000"]].concat();
            let ends = (0..RUNS).map(|_| whole_run(machine, &settings, workers, &[])).collect::<Vec<_>>();
            let row = |what: &str, path: &str| -> Result<Row> {
                let samples = ends.iter().map(|end| an_answer(end, path)).collect::<Result<Vec<_>>>()?;
                Ok(Row::of(format!("{}, {workers} volunteers: {what}", kind.name), "B", &samples))
            };
            let (up, down) = (row("up", "/traffic/received_bytes")?, row("down", "/traffic/sent_bytes")?);
            if workers == 4 {
                let limit = kind.directions as f64 / 8.0 + 32.0;
                let what = format!("{}: up, over K / 8 + 32 bytes", kind.name);
                ratios.push(Ratio { what, value: up.median / limit, wanted: Some("at most 1".to_owned()) });
            }
            let wanted = (workers == 4).then_some("at least 5");
            let what = format!("{}, {workers} volunteers: a full snapshot over down", kind.name);
            ratios.push(Ratio::of(what, &gradient, &down, wanted));
            rows.extend([up, down]);
        }
        rows.push(gradient);
    }
    for (precision, arguments) in [("f32", &[][..]), ("f16", &["--half-snapshots"])] {
        eprintln!("  accuracy with snapshots in {precision}");
        let accuracy = |_| number(&whole_run(machine, &[], 8, arguments), "/held_out/accuracy");
        let samples = (0..RUNS).map(accuracy).collect::<Result<Vec<_>>>()?;
        let percent: Vec<f64> = samples.iter().map(|share| 100.0 * share).collect();
        rows.push(Row::of(format!("mlp, accuracy with snapshots in {precision}"), "%", &percent));
    }
    let title = "Bytes of a contribution".to_owned();
    Ok(Section { name: "wire", title, about: ABOUT.to_owned(), rows, ratios })
}

/// Bytes of an answer: of all that came, also of the few that came after the run was finished.
fn an_answer(end: &Value, path: &str) -> Result<f64> {
    let rejected = end["rejected"].as_object().context("the status has no rejected answers")?;
    let rejected: u64 = rejected.values().filter_map(Value::as_u64).sum();
    Ok(number(end, path)? / (number(end, "/accepted")? + rejected as f64))
}

fn number(status: &Value, path: &str) -> Result<f64> {
    status
        .pointer(path)
        .and_then(Value::as_f64)
        .with_context(|| format!("the status has no number at {path}"))
}
