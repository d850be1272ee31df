//! The measured exponents and the paper's, as a table and a plot.

use crate::report::plot::{Axis, Chart, Line, LineStyle, svg};
use crate::report::{File, cells, table};
use crate::stats::MeanStd;
use crate::studies::convergence::problem::POINTS;
use crate::studies::convergence::{ConvergenceOptions, ConvergenceRate, PARAMETERS};

/// Returns `{stem}.md` with the table, and its plot.
pub fn document(rates: &[ConvergenceRate], options: &ConvergenceOptions, stem: &str) -> Vec<File> {
    let plot = File {
        name: format!("{stem}-norm.svg"),
        text: plot(rates),
    };
    let caption = "Running mean of the gradient norm over updates";
    let text = format!(
        "# Rate of convergence\n\n{}{}![{caption}]({})\n\n*{caption}, mean over seeds. Dotted: the exponents in the abstract \
         of arXiv 2605.09337, drawn from the last points.*\n",
        introduction(options),
        exponents(rates),
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

fn introduction(options: &ConvergenceOptions) -> String {
    let seeds: Vec<String> = options.seeds.iter().map(ToString::to_string).collect();
    format!(
        "Written by `farsign lab convergence`: logistic regression with a nonconvex regularizer, {} parameters, minibatches \
         of {} of {} points, {} asynchronous workers, seeds {}. Slopes are fitted by least squares to the Euclidean norm of \
         the true gradient over updates on logarithmic axes, without the first {:.0} % of the updates: of the running mean, \
         the running minimum, and the mean over the later half of the updates so far, which forgets the start. Mean ± \
         standard deviation over seeds. The abstract of arXiv 2605.09337 states its exponents up to a small `e`, without its \
         mean and its norm. A slope below the exponent is a faster decay. `W` is the accepted weight, `j` a worker's own \
         tasks.\n\n",
        PARAMETERS,
        options.batch,
        POINTS,
        options.fleet.workers,
        seeds.join(", "),
        100.0 * options.burn_in,
    )
}

fn exponents(rates: &[ConvergenceRate]) -> String {
    let head = cells([
        "order",
        "alpha",
        "beta",
        "updates",
        "abstract",
        "mean",
        "minimum",
        "later half",
        "final norm",
    ]);
    let slope = |slope: MeanStd| format!("{:.3} ± {:.3}", slope.mean, slope.deviation);
    let row = |rate: &ConvergenceRate| {
        vec![
            rate.name.clone(),
            format!("`{}`", rate.steps[0]),
            format!("`{}`", rate.steps[1]),
            rate.updates.to_string(),
            format!("{:.3} + e", rate.paper),
            slope(rate.mean),
            slope(rate.min),
            slope(rate.recent),
            format!("{:.4} ± {:.4}", rate.end.mean, rate.end.deviation),
        ]
    };
    table(&head, &rates.iter().map(row).collect::<Vec<_>>())
}

fn plot(rates: &[ConvergenceRate]) -> String {
    let measured = rates.iter().enumerate().map(|(n, rate)| Line {
        name: rate.name.clone(),
        style: LineStyle::numbered(n),
        points: mean_curve(rate),
        band: Vec::new(),
    });
    let measured: Vec<Line> = measured.collect();
    let mut lines: Vec<Line> = Vec::new();
    for (rate, line) in rates.iter().zip(&measured) {
        let name = format!("n^(-1/{:.0})", -1.0 / rate.paper);
        if lines.iter().any(|line| line.name == name) {
            continue;
        }
        let Some(&(updates, norm)) = line.points.last() else {
            continue;
        };
        let at = |part: f64| (part * updates, 0.8 * norm * libm::pow(part, rate.paper));
        let points = vec![at(0.02), at(1.0)];
        lines.push(Line {
            name,
            style: LineStyle::reference(),
            points,
            band: vec![],
        });
    }
    lines.extend(measured);
    let x = Axis::logarithmic("updates").including(10.0, 10.0);
    let y = Axis::logarithmic("running mean of |grad f|");
    svg(&Chart { x, y, lines })
}

fn mean_curve(rate: &ConvergenceRate) -> Vec<(f64, f64)> {
    let length = rate.curves.iter().map(Vec::len).min().unwrap_or(0);
    let point = |n: usize| {
        let sum: f64 = rate.curves.iter().map(|curve| curve[n].mean).sum();
        (
            rate.curves[0][n].updates as f64,
            sum / rate.curves.len() as f64,
        )
    };
    (0..length)
        .map(point)
        .filter(|(updates, _)| *updates > 10.0)
        .collect()
}
