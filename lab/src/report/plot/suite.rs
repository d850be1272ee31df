//! The plots of a suite. Several suites share one chart.

use farsign_attacks::Attack;

use crate::report::plot::{Axis, Chart, HeatMap, Line, LineStyle, heat_map, svg};
use crate::suite::results::{ConditionKey, MeanPoint, SuiteResults};
use crate::suite::summary::{ConditionSummary, MethodSummary};

/// A label and results. The label appears in charts with several suites.
pub type LabelledResults<'a> = (&'a str, &'a SuiteResults);

const ACCURACY: &str = "held-out accuracy (%)";

/// Plots mean accuracy over received updates under a condition, with a band of one standard deviation over seeds.
pub fn over_updates(suites: &[LabelledResults<'_>], key: ConditionKey<'_>) -> String {
    let x = Axis::linear("updates received").including(0.0, 0.0);
    svg(&Chart {
        x,
        y: accuracy(),
        lines: curves(suites, key, |point| point.updates),
    })
}

/// Plots mean accuracy over simulated time under a condition, with a band of one standard deviation over seeds.
pub fn over_time(suites: &[LabelledResults<'_>], key: ConditionKey<'_>) -> String {
    let x = Axis::logarithmic("simulated time (s)");
    svg(&Chart {
        x,
        y: accuracy(),
        lines: curves(suites, key, |point| point.time_s),
    })
}

/// Plots mean accuracy at the end under the worst attack over the Byzantine fraction; without an attack at 0.
pub fn over_fraction(suites: &[LabelledResults<'_>]) -> String {
    let lines = lines(suites, |results, method| {
        let Some(method) = results.summary.method(method) else {
            return (Vec::new(), Vec::new());
        };
        let clean = (0.0, 100.0 * method.clean.accuracy.mean);
        let worst = method
            .worst
            .iter()
            .map(|worst| (worst.byzantine_fraction, 100.0 * worst.accuracy.mean));
        let mut points: Vec<(f64, f64)> = std::iter::once(clean).chain(worst).collect();
        if points.len() == 1 {
            // The reference has no attackers: a horizontal line.
            let last = results.scenario.run.byzantine_fractions.last();
            points.extend(last.map(|&fraction| (fraction, clean.1)));
        }
        (points, Vec::new())
    });
    svg(&Chart {
        x: Axis::linear("Byzantine fraction"),
        y: accuracy(),
        lines,
    })
}

/// Plots mean accuracy at the end by method and attack at one Byzantine fraction.
pub fn attacks(results: &SuiteResults, fraction: f64) -> String {
    let attacks: Vec<&str> = results.scenario.attacks.iter().map(Attack::name).collect();
    let row = |method: &MethodSummary| {
        let attacked = attacks
            .iter()
            .map(|attack| method.condition(Some(attack), fraction));
        let conditions = std::iter::once(Some(&method.clean)).chain(attacked);
        let percent = |condition: &ConditionSummary| 100.0 * condition.accuracy.mean;
        (
            method.name.clone(),
            conditions.map(|condition| condition.map(percent)).collect(),
        )
    };
    let columns = std::iter::once("none")
        .chain(attacks.iter().copied())
        .map(str::to_owned)
        .collect();
    heat_map(&HeatMap {
        columns,
        rows: results.summary.methods.iter().map(row).collect(),
    })
}

fn accuracy() -> Axis {
    Axis::linear(ACCURACY)
}

fn curves(
    suites: &[LabelledResults<'_>],
    key: ConditionKey<'_>,
    x: impl Fn(&MeanPoint) -> f64,
) -> Vec<Line> {
    lines(suites, |results, method| {
        let key = if results.is_centralized(method) {
            None
        } else {
            key
        };
        let curve = results.curve(method, key);
        let point = |point: &MeanPoint| (x(point), 100.0 * point.accuracy.mean);
        let band = curve
            .iter()
            .map(|point| 100.0 * point.accuracy.deviation)
            .collect();
        (curve.iter().map(point).collect(), band)
    })
}

/// Points, and half the height of the band at each.
type Series = (Vec<(f64, f64)>, Vec<f64>);

/// Returns a line for each method of each suite that has points. A method has the same colour in all suites.
fn lines(
    suites: &[LabelledResults<'_>],
    series: impl Fn(&SuiteResults, &str) -> Series,
) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut methods: Vec<&str> = Vec::new();
    for (group, (suite, results)) in suites.iter().enumerate() {
        for method in results
            .scenario
            .methods
            .iter()
            .map(|method| method.name.as_str())
        {
            let (points, band) = series(results, method);
            if points.is_empty() {
                continue;
            }
            let centralized = results.is_centralized(method);
            let number = methods
                .iter()
                .position(|known| *known == method)
                .unwrap_or_else(|| {
                    methods.extend((!centralized).then_some(method));
                    methods.len().saturating_sub(1)
                });
            let name = if suites.len() > 1 {
                format!("{method}, {suite}")
            } else {
                method.to_owned()
            };
            let style = match suites.len() {
                _ if centralized => LineStyle::reference(),
                1 => LineStyle::numbered(number),
                _ => LineStyle::in_group(number, group),
            };
            lines.push(Line {
                name,
                style,
                points,
                band,
            });
        }
    }
    lines
}
