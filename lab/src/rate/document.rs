//! The measured exponents beside the paper's, as a table and a plot.

use super::{Rate, RateOptions};
use crate::document::{File, cells, table};
use crate::plot::{Axis, Chart, Line, Look, svg};
use crate::summary::Spread;

/// `{stem}.md` with the table, and its plot.
pub fn document(rates: &[Rate], options: &RateOptions, stem: &str) -> Vec<File> {
    let plot = File { name: format!("{stem}-norm.svg"), text: plot(rates) };
    let caption = "Running mean of the gradient norm over messages";
    let text = format!(
        "# The rate of convergence\n\n{}{}![{caption}]({})\n\n*{caption}, mean over seeds; dotted, the exponents that the \
         abstract of arXiv 2605.09337 states, beside the last points.*\n",
        introduction(options),
        exponents(rates),
        plot.name
    );
    vec![File { name: format!("{stem}.md"), text }, plot]
}

fn introduction(options: &RateOptions) -> String {
    let seeds: Vec<String> = options.seeds.iter().map(ToString::to_string).collect();
    format!(
        "Written by `farsign lab rate`: logistic regression with a nonconvex regularizer, {} parameters, minibatches of {} \
         of {} points, {} asynchronous workers, seeds {}. Slopes are fitted by least squares to the Euclidean norm of the \
         true gradient over messages, both logarithmic, without the first {:.0} % of the messages: of the running mean, the \
         running minimum, and the mean over the later half of the messages so far, which forgets the start. Mean ± standard \
         deviation over seeds. The abstract of arXiv 2605.09337 states its exponents up to a small `e`; we do not know \
         for which mean and which norm. A slope below the exponent is a faster fall. `W` is the \
         accepted weight, `j` a worker's own tasks.\n\n",
        super::PARAMETERS,
        options.batch,
        super::problem::POINTS,
        options.fleet.workers,
        seeds.join(", "),
        100.0 * options.burn_in,
    )
}

fn exponents(rates: &[Rate]) -> String {
    let head = cells([
        "order",
        "alpha",
        "beta",
        "messages",
        "abstract",
        "mean",
        "minimum",
        "later half",
        "norm by the end",
    ]);
    let slope = |spread: Spread| format!("{:.3} ± {:.3}", spread.mean, spread.deviation);
    let row = |rate: &Rate| {
        vec![
            rate.name.clone(),
            format!("`{}`", rate.steps[0]),
            format!("`{}`", rate.steps[1]),
            rate.messages.to_string(),
            format!("{:.3} + e", rate.paper),
            slope(rate.mean),
            slope(rate.min),
            slope(rate.recent),
            format!("{:.4} ± {:.4}", rate.end.mean, rate.end.deviation),
        ]
    };
    table(&head, &rates.iter().map(row).collect::<Vec<_>>())
}

fn plot(rates: &[Rate]) -> String {
    let measured = rates.iter().enumerate().map(|(n, rate)| Line {
        name: rate.name.clone(),
        look: Look::of(n),
        points: mean_curve(rate),
        around: Vec::new(),
    });
    let measured: Vec<Line> = measured.collect();
    let mut lines: Vec<Line> = Vec::new();
    for (rate, line) in rates.iter().zip(&measured) {
        let name = format!("n^(-1/{:.0})", -1.0 / rate.paper);
        if lines.iter().any(|line| line.name == name) {
            continue;
        }
        let Some(&(messages, norm)) = line.points.last() else { continue };
        let at = |part: f64| (part * messages, 0.8 * norm * libm::pow(part, rate.paper));
        lines.push(Line { name, look: Look::reference(), points: vec![at(0.02), at(1.0)], around: vec![] });
    }
    lines.extend(measured);
    let (x, y) = (Axis::logarithmic("messages"), Axis::logarithmic("running mean of |grad f|"));
    svg(&Chart { x: x.with(10.0, 10.0), y, lines })
}

fn mean_curve(rate: &Rate) -> Vec<(f64, f64)> {
    let length = rate.curves.iter().map(Vec::len).min().unwrap_or(0);
    let point = |n: usize| {
        let sum: f64 = rate.curves.iter().map(|curve| curve[n].mean).sum();
        (rate.curves[0][n].messages as f64, sum / rate.curves.len() as f64)
    };
    (0..length).map(point).filter(|(messages, _)| *messages > 10.0).collect()
}
