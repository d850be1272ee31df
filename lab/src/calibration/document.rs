//! The readout beside the truth, as a table and a plot.

use super::Checkpoint;
use crate::document::{File, cells, table};
use crate::plot::{Axis, Chart, Line, Look, svg};

const TEXT: &str = "# The safety readout, calibrated\n\n\
    Written by `farsign lab calibrate`. Each line is the mean over checkpoints and seeds; all numbers are per cent.\n\n\
    - **estimate**: the sign error *p* that the host reads off the agreement of all answers, liars' included;\n\
    - **mean**: the true share of wrong signs in honest answers, beside the gradient over all training data at the \
    parameters that the answer moved; a derivative of 0 counts as a coin;\n\
    - **as averaged**: the root of the mean square of `1 - 2 p` over coordinates, which pairs of answers alone would tell;\n\
    - **weighted**: the same, each coordinate weighted by the size of its derivative;\n\
    - **bias**: estimate less mean, with the largest at a single checkpoint in brackets;\n\
    - **tolerated**: share that may lie, by the estimate and by the true mean.\n\n";

/// `{stem}.md` with the table, and its plot.
pub fn document(found: &[Checkpoint], stem: &str) -> Vec<File> {
    let plot = File { name: format!("{stem}-errors.svg"), text: plot(found) };
    let caption = "Sign error as the host estimates it, over the true one";
    let text = format!(
        "{TEXT}{}{}![{caption}]({})\n\n*{caption}: a point for each line of the first table. On the dotted line the two are equal.*\n",
        "## By attack and share\n\n".to_owned() + &by_attack(found),
        "## By progress, without liars\n\n".to_owned() + &by_progress(found),
        plot.name
    );
    vec![File { name: format!("{stem}.md"), text }, plot]
}

const FIGURES: [&str; 6] =
    ["estimate", "mean", "as averaged", "weighted", "bias", "tolerated: estimate, true"];

fn by_attack(found: &[Checkpoint]) -> String {
    let mut head = cells(["method", "attack", "share"]);
    head.extend(cells(FIGURES));
    let condition = |c: &Checkpoint| (c.method.clone(), c.attack, c.share);
    let rows = distinct(found, condition).into_iter().map(|(method, attack, share)| {
        let here =
            |c: &&Checkpoint| (c.method.as_str(), c.attack, c.share) == (method.as_str(), attack, share);
        let figures = figures(&found.iter().filter(here).collect::<Vec<_>>());
        let mut row =
            vec![method.clone(), attack.unwrap_or("none").to_owned(), format!("{:.0}", 100.0 * share)];
        row.extend(figures);
        row
    });
    table(&head, &rows.collect::<Vec<_>>())
}

fn by_progress(found: &[Checkpoint]) -> String {
    let mut head = cells(["method", "messages"]);
    head.extend(cells(FIGURES));
    let clean: Vec<&Checkpoint> = found.iter().filter(|c| c.attack.is_none()).collect();
    let mut times = distinct(clean.iter().copied(), |c| (c.method.clone(), c.messages));
    times.sort();
    let rows = times.into_iter().map(|(method, messages)| {
        let here = |c: &&Checkpoint| (c.method.as_str(), c.messages) == (method.as_str(), messages);
        let figures = figures(&clean.iter().copied().filter(here).collect::<Vec<_>>());
        let mut row = vec![method, messages.to_string()];
        row.extend(figures);
        row
    });
    table(&head, &rows.collect::<Vec<_>>())
}

/// What checkpoints are told apart by, each once, in the order in which it comes first.
fn distinct<'a, T: PartialEq>(
    found: impl IntoIterator<Item = &'a Checkpoint>,
    by: impl Fn(&Checkpoint) -> T,
) -> Vec<T> {
    let mut distinct = Vec::new();
    for value in found.into_iter().map(by) {
        if !distinct.contains(&value) {
            distinct.push(value);
        }
    }
    distinct
}

fn figures(found: &[&Checkpoint]) -> Vec<String> {
    let known: Vec<(&Checkpoint, f64, f64)> =
        found.iter().filter_map(|&c| Some((c, c.estimate?, c.tolerated?))).collect();
    if known.is_empty() {
        return cells(["–"; FIGURES.len()]);
    }
    let mean = |value: &dyn Fn(&(&Checkpoint, f64, f64)) -> f64| {
        100.0 * known.iter().map(value).sum::<f64>() / known.len() as f64
    };
    let bias = |(c, estimate, _): &(&Checkpoint, f64, f64)| estimate - c.errors.mean;
    let largest = known.iter().map(bias).fold(0.0, |a: f64, b| if b.abs() > a.abs() { b } else { a });
    vec![
        format!("{:.1}", mean(&|known| known.1)),
        format!("{:.1}", mean(&|known| known.0.errors.mean)),
        format!("{:.1}", mean(&|known| known.0.errors.averaged)),
        format!("{:.1}", mean(&|known| known.0.errors.weighted)),
        format!("{:+.1} ({:+.1})", mean(&bias), 100.0 * largest),
        format!("{:.1}, {:.1}", mean(&|known| known.2), mean(&|known| tolerated(known.0.errors.mean))),
    ]
}

/// Share of the weight that may lie and is outvoted, docs/algorithm.md, section 7.
fn tolerated(p: f64) -> f64 {
    if p < 0.5 { (1.0 - 2.0 * p) / (2.0 - 2.0 * p) } else { 0.0 }
}

/// One point for each method, attack and share: means over checkpoints and seeds.
fn plot(found: &[Checkpoint]) -> String {
    let known: Vec<&Checkpoint> = found.iter().filter(|c| c.estimate.is_some()).collect();
    let scatter = |(n, attack): (usize, Option<&'static str>)| {
        let of_attack: Vec<&Checkpoint> = known.iter().copied().filter(|c| c.attack == attack).collect();
        let point = |(method, share): (String, f64)| {
            let here = of_attack.iter().filter(|c| c.method == method && c.share == share);
            let mean = |value: fn(&Checkpoint) -> f64| {
                100.0 * here.clone().map(|c| value(c)).sum::<f64>() / here.clone().count() as f64
            };
            (mean(|c| c.errors.mean), mean(|c| c.estimate.unwrap_or(0.5)))
        };
        Line {
            name: attack.unwrap_or("no liars").to_owned(),
            look: Look::of(n).scattered(),
            points: distinct(of_attack.iter().copied(), |c| (c.method.clone(), c.share))
                .into_iter()
                .map(point)
                .collect(),
            around: Vec::new(),
        }
    };
    let equal = Line {
        name: "equal".to_owned(),
        look: Look::reference(),
        points: vec![(10.0, 10.0), (50.0, 50.0)],
        around: Vec::new(),
    };
    let attacks = distinct(known.iter().copied(), |c| c.attack).into_iter().enumerate();
    let lines = std::iter::once(equal).chain(attacks.map(scatter)).collect();
    svg(&Chart { x: Axis::linear("true sign error (%)"), y: Axis::linear("estimated sign error (%)"), lines })
}
