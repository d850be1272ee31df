//! The tolerance estimate and the ground truth, as tables and a plot.

use crate::report::plot::{Axis, Chart, Line, LineStyle, svg};
use crate::report::{File, cells, table};
use crate::studies::tolerance::ToleranceCheckpoint;

const TEXT: &str = "# Estimated Byzantine tolerance\n\n\
    Written by `farsign lab tolerance`. Each row is the mean over checkpoints and seeds; all numbers are percentages.\n\n\
    - **estimate**: the sign error *p* that the server estimates from the agreement of all updates, attackers' included;\n\
    - **mean**: the true fraction of wrong signs in honest updates, compared with the gradient over all training data at \
    the parameters that the update changes; a derivative of 0 counts as a coin;\n\
    - **from pairs**: the root of the mean square of `1 - 2 p` over coordinates, which pairs of updates alone would give;\n\
    - **weighted**: the mean with each coordinate weighted by the size of its derivative;\n\
    - **bias**: estimate minus mean; in brackets, the largest at a single checkpoint;\n\
    - **tolerated**: the tolerated Byzantine fraction, by the estimate and by the true mean.\n\n";

/// Returns `{stem}.md` with the tables, and its plot.
pub fn document(checkpoints: &[ToleranceCheckpoint], stem: &str) -> Vec<File> {
    let plot = File {
        name: format!("{stem}-errors.svg"),
        text: plot(checkpoints),
    };
    let caption = "Estimated sign error over the true sign error";
    let text = format!(
        "{TEXT}## By attack and Byzantine fraction\n\n{}## By progress, without attackers\n\n{}![{caption}]({})\n\n\
         *{caption}: a point for each row of the first table. Estimate and truth are equal on the dotted line.*\n",
        by_attack(checkpoints),
        by_progress(checkpoints),
        plot.name
    );
    vec![
        File {
            name: format!("{stem}.md"),
            text,
        },
        plot,
    ]
}

const COLUMNS: [&str; 6] = [
    "estimate",
    "mean",
    "from pairs",
    "weighted",
    "bias",
    "tolerated: estimate, true",
];

fn by_attack(checkpoints: &[ToleranceCheckpoint]) -> String {
    let mut head = cells(["method", "attack", "fraction"]);
    head.extend(cells(COLUMNS));
    let condition = |c: &ToleranceCheckpoint| (c.method.clone(), c.attack, c.byzantine_fraction);
    let rows = distinct(checkpoints, condition)
        .into_iter()
        .map(|(method, attack, fraction)| {
            let here = |c: &&ToleranceCheckpoint| {
                (c.method.as_str(), c.attack, c.byzantine_fraction)
                    == (method.as_str(), attack, fraction)
            };
            let values = values(&checkpoints.iter().filter(here).collect::<Vec<_>>());
            let percent = format!("{:.0}", 100.0 * fraction);
            let mut row = vec![method.clone(), attack.unwrap_or("none").to_owned(), percent];
            row.extend(values);
            row
        });
    table(&head, &rows.collect::<Vec<_>>())
}

fn by_progress(checkpoints: &[ToleranceCheckpoint]) -> String {
    let mut head = cells(["method", "updates"]);
    head.extend(cells(COLUMNS));
    let clean: Vec<&ToleranceCheckpoint> =
        checkpoints.iter().filter(|c| c.attack.is_none()).collect();
    let mut points = distinct(clean.iter().copied(), |c| (c.method.clone(), c.updates));
    points.sort();
    let rows = points.into_iter().map(|(method, updates)| {
        let here =
            |c: &&ToleranceCheckpoint| (c.method.as_str(), c.updates) == (method.as_str(), updates);
        let values = values(&clean.iter().copied().filter(here).collect::<Vec<_>>());
        let mut row = vec![method, updates.to_string()];
        row.extend(values);
        row
    });
    table(&head, &rows.collect::<Vec<_>>())
}

/// Returns the distinct keys of checkpoints, in the order of their first occurrence.
fn distinct<'a, T: PartialEq>(
    checkpoints: impl IntoIterator<Item = &'a ToleranceCheckpoint>,
    key: impl Fn(&ToleranceCheckpoint) -> T,
) -> Vec<T> {
    let mut distinct = Vec::new();
    for value in checkpoints.into_iter().map(key) {
        if !distinct.contains(&value) {
            distinct.push(value);
        }
    }
    distinct
}

fn values(checkpoints: &[&ToleranceCheckpoint]) -> Vec<String> {
    let known: Vec<(&ToleranceCheckpoint, f64, f64)> = checkpoints
        .iter()
        .filter_map(|&c| Some((c, c.estimate?, c.tolerated?)))
        .collect();
    if known.is_empty() {
        return cells(["–"; COLUMNS.len()]);
    }
    let mean = |value: &dyn Fn(&(&ToleranceCheckpoint, f64, f64)) -> f64| {
        100.0 * known.iter().map(value).sum::<f64>() / known.len() as f64
    };
    let bias = |(c, estimate, _): &(&ToleranceCheckpoint, f64, f64)| estimate - c.errors.mean;
    let largest = known
        .iter()
        .map(bias)
        .fold(0.0, |a: f64, b| if b.abs() > a.abs() { b } else { a });
    vec![
        format!("{:.1}", mean(&|known| known.1)),
        format!("{:.1}", mean(&|known| known.0.errors.mean)),
        format!("{:.1}", mean(&|known| known.0.errors.from_pairs)),
        format!("{:.1}", mean(&|known| known.0.errors.weighted)),
        format!("{:+.1} ({:+.1})", mean(&bias), 100.0 * largest),
        format!(
            "{:.1}, {:.1}",
            mean(&|known| known.2),
            mean(&|known| tolerated(known.0.errors.mean))
        ),
    ]
}

/// Returns the tolerated Byzantine fraction of the weight (docs/algorithm.md, section 7).
fn tolerated(p: f64) -> f64 {
    if p < 0.5 {
        (1.0 - 2.0 * p) / (2.0 - 2.0 * p)
    } else {
        0.0
    }
}

/// Plots one point for each method, attack and Byzantine fraction: means over checkpoints and seeds.
fn plot(checkpoints: &[ToleranceCheckpoint]) -> String {
    let known: Vec<&ToleranceCheckpoint> = checkpoints
        .iter()
        .filter(|c| c.estimate.is_some())
        .collect();
    let scatter = |(n, attack): (usize, Option<&'static str>)| {
        let of_attack: Vec<&ToleranceCheckpoint> = known
            .iter()
            .copied()
            .filter(|c| c.attack == attack)
            .collect();
        let point = |(method, fraction): (String, f64)| {
            let here = of_attack
                .iter()
                .filter(|c| c.method == method && c.byzantine_fraction == fraction);
            let mean = |value: fn(&ToleranceCheckpoint) -> f64| {
                100.0 * here.clone().map(|c| value(c)).sum::<f64>() / here.clone().count() as f64
            };
            (mean(|c| c.errors.mean), mean(|c| c.estimate.unwrap_or(0.5)))
        };
        Line {
            name: attack.unwrap_or("no attack").to_owned(),
            style: LineStyle::numbered(n).scattered(),
            points: distinct(of_attack.iter().copied(), |c| {
                (c.method.clone(), c.byzantine_fraction)
            })
            .into_iter()
            .map(point)
            .collect(),
            band: Vec::new(),
        }
    };
    let equal = Line {
        name: "equal".to_owned(),
        style: LineStyle::reference(),
        points: vec![(10.0, 10.0), (50.0, 50.0)],
        band: Vec::new(),
    };
    let attacks = distinct(known.iter().copied(), |c| c.attack)
        .into_iter()
        .enumerate();
    let lines = std::iter::once(equal).chain(attacks.map(scatter)).collect();
    svg(&Chart {
        x: Axis::linear("true sign error (%)"),
        y: Axis::linear("estimated sign error (%)"),
        lines,
    })
}
