//! The tables of a report. Each has a row for the centralized reference, if the scenario has one.

use farsign_attacks::Attack;

use crate::report::markdown::{
    MISSING, accuracy, accuracy_in_hundredths, cells, optional_quantity, percent, quantity, table,
};
use crate::report::plot::suite::LabelledResults;
use crate::scenario::TaskParameters;
use crate::suite::results::SuiteResults;
use crate::suite::summary::{ConditionSummary, MethodSummary};

/// Returns every method of every suite: accuracy without an attack and under the worst attack, and breaking point.
pub fn overview(suites: &[LabelledResults<'_>]) -> String {
    let several = suites.len() > 1;
    let mut fractions: Vec<f64> = suites
        .iter()
        .flat_map(|(_, results)| fractions(results))
        .collect();
    fractions.sort_unstable_by(f64::total_cmp);
    fractions.dedup();
    let mut head = cells(["method"]);
    head.extend(several.then(|| "suite".to_owned()));
    head.push("no attack".to_owned());
    head.extend(
        fractions
            .iter()
            .map(|fraction| format!("worst at {}", percent(*fraction))),
    );
    head.extend(cells(["tolerates", "s to 80 %", "updates to 80 %"]));
    let row = |name: &str, results: &SuiteResults, method: &MethodSummary| {
        let mut row = vec![display_name(results, method)];
        row.extend(several.then(|| name.to_owned()));
        row.push(accuracy(method.clean.accuracy));
        row.extend(fractions.iter().map(|fraction| {
            let worst = method
                .worst
                .iter()
                .find(|worst| worst.byzantine_fraction == *fraction);
            worst.map_or_else(missing, |worst| {
                format!("{} {}", accuracy(worst.accuracy), worst.attack)
            })
        }));
        row.push(method.breaking_point.map_or_else(missing, percent));
        row.push(optional_quantity(method.clean.target_s));
        row.push(optional_quantity(
            results.target_updates(&method.name, None),
        ));
        row
    };
    let rows = |(name, results): &LabelledResults<'_>| {
        results
            .summary
            .methods
            .iter()
            .map(|method| row(name, results, method))
            .collect::<Vec<_>>()
    };
    table(&head, &suites.iter().flat_map(rows).collect::<Vec<_>>())
}

/// Returns the accuracy by method and attack at one Byzantine fraction.
pub fn attacks(results: &SuiteResults, fraction: f64) -> String {
    let attacks: Vec<&str> = results.scenario.attacks.iter().map(Attack::name).collect();
    let mut head = cells(["method", "no attack"]);
    head.extend(attacks.iter().map(|&name| name.to_owned()));
    let row = |method: &MethodSummary| {
        let worst = method
            .worst
            .iter()
            .find(|worst| worst.byzantine_fraction == fraction);
        let cell = |&attack: &&str| {
            let Some(condition) = method.condition(Some(attack), fraction) else {
                return missing();
            };
            let mut text = accuracy(condition.accuracy);
            if condition.diverged > 0 {
                text.push_str(" (diverged)");
            }
            if worst.is_some_and(|worst| worst.attack == attack) {
                format!("**{text}**")
            } else {
                text
            }
        };
        let mut row = vec![
            display_name(results, method),
            accuracy(method.clean.accuracy),
        ];
        row.extend(attacks.iter().map(cell));
        row
    };
    table(
        &head,
        &results.summary.methods.iter().map(row).collect::<Vec<_>>(),
    )
}

/// Returns the speed of each method without an attack.
pub fn speed(results: &SuiteResults) -> String {
    let head = cells([
        "method",
        "accuracy",
        "s to 80 %",
        "updates to 80 %",
        "s per run",
        "staleness",
    ]);
    let row = |method: &MethodSummary| {
        vec![
            display_name(results, method),
            accuracy(method.clean.accuracy),
            optional_quantity(method.clean.target_s),
            optional_quantity(results.target_updates(&method.name, None)),
            quantity(method.clean.time_s),
            quantity(method.clean.staleness),
        ]
    };
    table(
        &head,
        &results.summary.methods.iter().map(row).collect::<Vec<_>>(),
    )
}

/// Returns costs and ejections of methods with verification, and the reference; `None` if there are none.
pub fn verification(results: &SuiteResults) -> Option<String> {
    let fractions: Vec<f64> = fractions(results).collect();
    let mut head = cells(["method", "accuracy, no attack", "recomputed, no attack"]);
    head.extend(
        fractions
            .iter()
            .map(|fraction| format!("at {}", percent(*fraction))),
    );
    head.extend(cells(["attackers ejected", "honest ejected"]));
    let is_shown = |method: &&MethodSummary| {
        let mut conditions = std::iter::once(&method.clean).chain(&method.attacked);
        results.is_centralized(&method.name)
            || conditions.any(|condition| condition.recomputed.mean > 0.0)
    };
    let row = |method: &MethodSummary| {
        let recomputed = |fraction: &f64| {
            mean(
                method,
                |c| c.byzantine_fraction == *fraction,
                |c| c.recomputed.mean,
            )
            .map(percent)
        };
        let honest: u64 = method
            .attacked
            .iter()
            .map(|condition| condition.honest_ejected)
            .sum();
        let attackers = mean(
            method,
            |_| true,
            |condition| condition.attackers_ejected.mean,
        );
        let mut row = vec![
            display_name(results, method),
            accuracy(method.clean.accuracy),
        ];
        row.push(percent(method.clean.recomputed.mean));
        row.extend(
            fractions
                .iter()
                .map(|fraction| recomputed(fraction).unwrap_or_else(missing)),
        );
        row.push(attackers.map_or_else(missing, |attackers| format!("{attackers:.1}")));
        row.push(format!("{}", honest + method.clean.honest_ejected));
        row
    };
    let shown = results.summary.methods.iter().filter(is_shown);
    let rows: Vec<Vec<String>> = shown.map(row).collect();
    (!rows.is_empty()).then(|| table(&head, &rows))
}

/// Returns the bits of versions beside the parameters that workers compute on; `None` if they were not measured.
pub fn versions(results: &SuiteResults) -> Option<String> {
    let head = cells(["method", "parameters", "accuracy", "bits"]);
    let row = |method: &MethodSummary| {
        let bits = method.clean.difference_bits?;
        let parameters = match results.task_parameters(&method.name)? {
            TaskParameters::Published => "published",
            TaskParameters::Exact => "exact",
        };
        Some(vec![
            method.name.clone(),
            parameters.to_owned(),
            accuracy_in_hundredths(method.clean.accuracy),
            format!("{:.2} ± {:.2}", bits.mean, bits.deviation),
        ])
    };
    let rows: Vec<Vec<String>> = results.summary.methods.iter().filter_map(row).collect();
    (!rows.is_empty()).then(|| table(&head, &rows))
}

/// Returns the images of an update of methods with sized tasks; `None` if there are none.
pub fn task_sizes(results: &SuiteResults) -> Option<String> {
    let fractions: Vec<f64> = fractions(results).collect();
    let mut head = cells(["method", "no attack"]);
    let columns = fractions
        .iter()
        .map(|fraction| format!("at {}", percent(*fraction)));
    head.extend(columns);
    let row = |method: &MethodSummary| {
        let mut row = vec![method.name.clone(), quantity(method.clean.task_images?)];
        row.extend(fractions.iter().map(|fraction| {
            let images = |c: &ConditionSummary| c.task_images.map_or(0.0, |images| images.mean);
            mean(method, |c| c.byzantine_fraction == *fraction, images)
                .map_or_else(missing, |images| format!("{images:.0}"))
        }));
        Some(row)
    };
    let rows: Vec<Vec<String>> = results.summary.methods.iter().filter_map(row).collect();
    (!rows.is_empty()).then(|| table(&head, &rows))
}

/// Returns the learning rates that tuning chose.
pub fn learning_rates(results: &SuiteResults) -> String {
    let factors = &results.scenario.tuning.factors;
    let row = |method: &MethodSummary| {
        let ends = [factors.first(), factors.last()];
        let at_edge = factors.len() > 1 && ends.contains(&Some(&method.factor));
        let edge = if at_edge {
            "edge".to_owned()
        } else {
            String::new()
        };
        let learning_rate = format!("{:.2e}", method.learning_rate);
        vec![
            display_name(results, method),
            learning_rate,
            method.factor.to_string(),
            edge,
        ]
    };
    let rows: Vec<Vec<String>> = results.summary.methods.iter().map(row).collect();
    table(&cells(["method", "learning rate", "factor", "grid"]), &rows)
}

/// Returns the mean over the selected conditions under attack; `None` if there are none.
fn mean(
    method: &MethodSummary,
    select: impl Fn(&ConditionSummary) -> bool,
    value: impl Fn(&ConditionSummary) -> f64,
) -> Option<f64> {
    let values: Vec<f64> = method
        .attacked
        .iter()
        .filter(|c| select(c))
        .map(value)
        .collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn fractions(results: &SuiteResults) -> impl Iterator<Item = f64> + '_ {
    results
        .scenario
        .run
        .byzantine_fractions
        .iter()
        .copied()
        .filter(|fraction| *fraction > 0.0)
}

fn display_name(results: &SuiteResults, method: &MethodSummary) -> String {
    let name = &method.name;
    if results.is_centralized(name) {
        format!("{name} (reference)")
    } else {
        name.clone()
    }
}

fn missing() -> String {
    MISSING.to_owned()
}
