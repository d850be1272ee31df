//! The summary of a suite: means over seeds, worst attacks, breaking points, and all curves.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::metrics::RunMetrics;
use crate::scenario::{Method, Scenario};
use crate::stats::MeanStd;
use crate::suite::plan::{Condition, conditions};

/// All methods of a suite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Updates of a run.
    pub updates: u64,
    /// Seeds of each condition.
    pub seeds: usize,
    /// Largest loss of accuracy under the worst attack at which a method tolerates a Byzantine fraction.
    pub breaking_distance: f64,
    /// Method by method.
    pub methods: Vec<MethodSummary>,
}

/// One method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MethodSummary {
    /// Name.
    pub name: String,
    /// Initial learning rate that tuning chose.
    pub learning_rate: f64,
    /// Factor of this learning rate.
    pub factor: f64,
    /// Results without an attack.
    pub clean: ConditionSummary,
    /// Results under attack, condition by condition.
    pub attacked: Vec<ConditionSummary>,
    /// The attack with the lowest mean accuracy, by Byzantine fraction.
    pub worst: Vec<WorstCase>,
    /// Largest Byzantine fraction up to which every run under every attack ends within the breaking distance of the mean
    /// without an attack; 0 if there is none. `None` without attacks.
    pub breaking_point: Option<f64>,
}

/// One condition, over its seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConditionSummary {
    /// Name of the attack; `None` without an attack.
    pub attack: Option<String>,
    /// Byzantine fraction of the scenario.
    pub byzantine_fraction: f64,
    /// Fraction of the updates that attackers sent.
    pub byzantine_updates: MeanStd,
    /// Fraction of the weight of attackers' updates, if updates have weights.
    pub byzantine_weight: Option<MeanStd>,
    /// Accuracy at the end, 0 to 1.
    pub accuracy: MeanStd,
    /// Lowest accuracy of all seeds.
    pub min_accuracy: f64,
    /// Simulated seconds to an accuracy of 80 %; `None` unless every seed reaches it.
    pub target_s: Option<MeanStd>,
    /// Simulated seconds of a run.
    pub time_s: MeanStd,
    /// Updates of the server between issuing a task's parameters and receiving its update.
    pub staleness: MeanStd,
    /// Bits a parameter of the differences between two versions that a worker received, if measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference_bits: Option<MeanStd>,
    /// Mean images of an update, if tasks are sized to their workers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_images: Option<MeanStd>,
    /// Recomputed updates, as a fraction of all updates.
    pub recomputed: MeanStd,
    /// Ejected attackers, counted by identity.
    pub attackers_ejected: MeanStd,
    /// Ejected honest workers, over all seeds.
    pub honest_ejected: u64,
    /// Seeds whose parameters became infinite or NaN.
    pub diverged: usize,
}

/// The worst attack at a Byzantine fraction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorstCase {
    /// Byzantine fraction.
    pub byzantine_fraction: f64,
    /// Name of the attack.
    pub attack: String,
    /// Accuracy at the end, 0 to 1.
    pub accuracy: MeanStd,
    /// Lowest accuracy of all runs at this fraction, under any attack.
    pub min_accuracy: f64,
}

impl ConditionSummary {
    fn new(attack: Option<(&str, f64)>, runs: &[&RunMetrics]) -> Self {
        let over_seeds =
            |value: fn(&RunMetrics) -> f64| MeanStd::new(runs.iter().map(|metrics| value(metrics)));
        let if_all = |value: fn(&RunMetrics) -> Option<f64>| {
            let known = runs.iter().filter_map(|metrics| value(metrics));
            (known.clone().count() == runs.len()).then(|| MeanStd::new(known))
        };
        Self {
            attack: attack.map(|(name, _)| name.to_owned()),
            byzantine_fraction: attack.map_or(0.0, |(_, fraction)| fraction),
            byzantine_updates: over_seeds(|run| run.byzantine_updates),
            byzantine_weight: if_all(|run| run.byzantine_weight),
            accuracy: over_seeds(|run| run.accuracy),
            min_accuracy: runs
                .iter()
                .map(|run| run.accuracy)
                .fold(f64::INFINITY, f64::min),
            target_s: if_all(|run| run.target_s),
            time_s: over_seeds(|run| run.time_s),
            staleness: over_seeds(|run| run.staleness),
            difference_bits: if_all(|run| run.difference_bits),
            task_images: if_all(|run| run.task_images),
            recomputed: over_seeds(|run| {
                run.verification.recomputed as f64 / run.updates.max(1) as f64
            }),
            attackers_ejected: over_seeds(|run| run.attackers_ejected as f64),
            honest_ejected: runs.iter().map(|run| run.honest_ejected).sum(),
            diverged: runs.iter().filter(|run| run.diverged).count(),
        }
    }
}

impl MethodSummary {
    /// Summarizes the runs of a method, in the order of the plan.
    pub fn new(scenario: &Scenario, method: &Method, factor: f64, runs: &[RunMetrics]) -> Self {
        let planned: Vec<Condition> = conditions(scenario, method).collect();
        let seeds = scenario.run.seeds.len();
        let summarize = |(conditions, runs): (&[Condition], &[RunMetrics])| {
            let attack = conditions[0]
                .attack
                .as_ref()
                .map(|(attack, fraction)| (attack.name(), *fraction));
            ConditionSummary::new(attack, &runs.iter().collect::<Vec<_>>())
        };
        let mut summaries = planned
            .chunks(seeds)
            .zip(runs.chunks(seeds))
            .map(summarize)
            .collect::<Vec<_>>()
            .into_iter();
        let clean = summaries
            .next()
            .expect("a plan begins with the runs without an attack");
        let attacked: Vec<ConditionSummary> = summaries.collect();
        let worst = worst_cases(&scenario.run.byzantine_fractions, &attacked);
        let limit = clean.accuracy.mean - scenario.run.breaking_distance;
        Self {
            name: method.name.clone(),
            learning_rate: method.learning_rate * factor,
            factor,
            breaking_point: breaking_point(&worst, limit),
            clean,
            attacked,
            worst,
        }
    }

    /// Returns the results under an attack, or without one.
    pub fn condition(
        &self,
        attack: Option<&str>,
        byzantine_fraction: f64,
    ) -> Option<&ConditionSummary> {
        let Some(attack) = attack else {
            return Some(&self.clean);
        };
        self.attacked.iter().find(|condition| {
            condition.attack.as_deref() == Some(attack)
                && condition.byzantine_fraction == byzantine_fraction
        })
    }
}

/// Returns the attack with the lowest mean, by Byzantine fraction.
fn worst_cases(fractions: &[f64], attacked: &[ConditionSummary]) -> Vec<WorstCase> {
    let worst_at = |&byzantine_fraction: &f64| {
        let here = || {
            attacked
                .iter()
                .filter(|condition| condition.byzantine_fraction == byzantine_fraction)
        };
        let worst = here().min_by(|a, b| a.accuracy.mean.total_cmp(&b.accuracy.mean))?;
        let min_accuracy = here()
            .map(|condition| condition.min_accuracy)
            .fold(f64::INFINITY, f64::min);
        let attack = worst.attack.clone()?;
        Some(WorstCase {
            byzantine_fraction,
            attack,
            accuracy: worst.accuracy,
            min_accuracy,
        })
    };
    fractions.iter().filter_map(worst_at).collect()
}

/// Returns the largest Byzantine fraction up to which no run ends below the limit; `None` without attacks.
///
/// The fractions of `worst` increase.
fn breaking_point(worst: &[WorstCase], limit: f64) -> Option<f64> {
    let tolerated = worst
        .iter()
        .take_while(|worst| worst.min_accuracy >= limit)
        .last();
    (!worst.is_empty()).then(|| tolerated.map_or(0.0, |worst| worst.byzantine_fraction))
}

impl Summary {
    /// Returns the method with this name.
    pub fn method(&self, name: &str) -> Option<&MethodSummary> {
        self.methods.iter().find(|method| method.name == name)
    }
}

/// The header of `curves.csv`.
pub const CURVES_HEADER: &str =
    "method,attack,byzantine_fraction,seed,updates,time_s,accuracy,loss\n";

/// Returns lines of `curves.csv` for the runs of a method, in the order of the plan.
pub fn curves(scenario: &Scenario, method: &Method, runs: &[RunMetrics]) -> String {
    let mut lines = String::new();
    for (Condition { attack, seed }, run) in conditions(scenario, method).zip(runs) {
        let (attack, fraction) = attack.as_ref().map_or(("none", 0.0), |(attack, fraction)| {
            (attack.name(), *fraction)
        });
        for point in &run.curve {
            let loss = point
                .loss
                .map_or_else(String::new, |loss| format!("{loss:.5}"));
            writeln!(
                lines,
                "{},{attack},{fraction},{seed},{},{:.3},{:.5},{loss}",
                method.name, point.updates, point.time_s, point.accuracy
            )
            .expect("writing to a String is infallible");
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(attack: &str, fraction: f64, accuracies: &[f64]) -> ConditionSummary {
        let metrics = |&accuracy: &f64| RunMetrics {
            accuracy,
            ..RunMetrics::default()
        };
        let runs: Vec<RunMetrics> = accuracies.iter().map(metrics).collect();
        ConditionSummary::new(Some((attack, fraction)), &runs.iter().collect::<Vec<_>>())
    }

    fn worst() -> Vec<WorstCase> {
        let attacked = [
            condition("flip", 0.1, &[0.89, 0.91]),
            condition("push", 0.1, &[0.86, 0.96]),
            condition("flip", 0.2, &[0.7, 0.7]),
            condition("push", 0.2, &[0.5, 0.95]),
            condition("flip", 0.3, &[0.9, 0.9]),
        ];
        worst_cases(&[0.0, 0.1, 0.2, 0.3], &attacked)
    }

    #[test]
    fn worst_attack_has_lowest_mean() {
        let worst = worst();
        let found: Vec<(f64, &str, f64, f64)> = worst
            .iter()
            .map(|w| {
                (
                    w.byzantine_fraction,
                    w.attack.as_str(),
                    w.accuracy.mean,
                    w.min_accuracy,
                )
            })
            .collect();
        let expected = [
            (0.1, "flip", 0.9, 0.86),
            (0.2, "flip", 0.7, 0.5),
            (0.3, "flip", 0.9, 0.9),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn breaking_point_uses_worst_seed() {
        let worst = worst();
        assert_eq!(
            breaking_point(&worst, 0.87),
            Some(0.0),
            "a run under the other attack ends at .86"
        );
        assert_eq!(
            breaking_point(&worst, 0.86),
            Some(0.1),
            "fractions beyond the first failure do not count"
        );
        assert_eq!(breaking_point(&worst, 0.5), Some(0.3));
        assert_eq!(breaking_point(&[], 0.5), None);
    }
}
