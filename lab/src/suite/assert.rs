//! Comparison of results with the assertions of a scenario.

use crate::scenario::{Assertion, Bound};
use crate::suite::summary::{ConditionSummary, Summary};

/// Returns one line for each violated assertion: what was expected, and what was found.
pub fn violations(assertions: &[Assertion], summary: &Summary) -> Vec<String> {
    assertions
        .iter()
        .filter_map(|assertion| violation(assertion, summary))
        .collect()
}

fn violation(assertion: &Assertion, summary: &Summary) -> Option<String> {
    let found = |method: &str| {
        summary
            .method(method)?
            .condition(assertion.attack.as_deref(), assertion.byzantine_fraction)
    };
    let place = place(assertion);
    let Some(condition) = found(&assertion.method) else {
        return Some(format!("{place}: expected results, found none"));
    };
    let accuracy = condition.accuracy.mean;
    let at_least = |min: f64| {
        (accuracy < min)
            .then(|| format!("{place}: expected at least {min:.4}, found {accuracy:.4}"))
    };
    match &assertion.is {
        Bound::AtLeast(min) => at_least(*min),
        Bound::AtMost(max) => (accuracy > *max)
            .then(|| format!("{place}: expected at most {max:.4}, found {accuracy:.4}")),
        Bound::NearClean(distance) => {
            at_least(summary.method(&assertion.method)?.clean.accuracy.mean - distance)
        }
        Bound::Above { method, by } => match found(method) {
            Some(other) => at_least(other.accuracy.mean + by),
            None => Some(format!(
                "{place}: expected results of {method} for comparison, found none"
            )),
        },
        Bound::OnlyAttackersEjected { at_least } => {
            ejection_violation(&place, condition, *at_least)
        }
    }
}

/// Names the method and the condition of an assertion.
fn place(
    Assertion {
        method,
        attack,
        byzantine_fraction,
        ..
    }: &Assertion,
) -> String {
    match attack {
        None => format!("{method} without an attack"),
        Some(attack) => {
            format!("{method} under {attack} at a Byzantine fraction of {byzantine_fraction}")
        }
    }
}

fn ejection_violation(place: &str, condition: &ConditionSummary, at_least: f64) -> Option<String> {
    let ConditionSummary {
        attackers_ejected,
        honest_ejected,
        ..
    } = condition;
    let holds = *honest_ejected == 0 && attackers_ejected.mean >= at_least;
    (!holds).then(|| {
        format!(
            "{place}: expected no honest worker and at least {at_least} attackers ejected, found {honest_ejected} \
             honest workers and {} attackers",
            attackers_ejected.mean
        )
    })
}
