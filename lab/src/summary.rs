//! What a campaign came to: means over seeds, worst attacks, breaking points, and all curves.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::plan::Cell;
use crate::record::Record;
use crate::scenario::{Method, Scenario};

/// All methods of a campaign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Messages of a run.
    pub messages: u64,
    /// Seeds of each condition.
    pub seeds: usize,
    /// A method stands a share while its accuracy under the worst attack is within so much of its clean one.
    pub breaking_distance: f64,
    /// Method by method.
    pub methods: Vec<MethodSummary>,
}

/// One method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MethodSummary {
    /// Its name.
    pub name: String,
    /// The step size at the start that tuning chose.
    pub rate: f64,
    /// The factor of the grid that it came of.
    pub factor: f64,
    /// Without liars.
    pub clean: Condition,
    /// Condition by condition.
    pub attacked: Vec<Condition>,
    /// The attack with the lowest mean accuracy, share by share.
    pub worst: Vec<Worst>,
    /// Largest share up to which every run under every attack ends within the breaking distance of the mean without
    /// liars; 0 if they do at none, none where nobody attacks.
    pub breaking_point: Option<f64>,
}

/// One condition, over its seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// What liars do; none: there are none.
    pub attack: Option<String>,
    /// Share of the updates that they were to send.
    pub share: f64,
    /// Share that they did send.
    pub liars_share: Spread,
    /// Share of the weight that they had, where there are weights.
    pub liars_weight: Option<Spread>,
    /// Accuracy at the end, 0 to 1.
    pub accuracy: Spread,
    /// The lowest of them.
    pub least: f64,
    /// Simulated seconds to an accuracy of 80 %; none unless every seed gets there.
    pub target_s: Option<Spread>,
    /// Simulated seconds of a run.
    pub time_s: Spread,
    /// Updates between a task's parameters and its answer.
    pub staleness: Spread,
    /// Answers computed again, over messages.
    pub recomputed: Spread,
    /// Liars removed, by name.
    pub liars_removed: Spread,
    /// Honest workers removed, over all seeds.
    pub honest_removed: u64,
    /// Seeds whose parameters ceased to be finite.
    pub diverged: usize,
}

/// Mean and standard deviation over seeds (with one less than their number below the line; 0 for one seed).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub deviation: f64,
}

/// The worst that liars of this share did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Worst {
    /// Their share of the updates.
    pub share: f64,
    /// What they did.
    pub attack: String,
    /// Accuracy at the end, 0 to 1.
    pub accuracy: Spread,
    /// The lowest of all runs with this share, under whatever attack.
    pub least: f64,
}

impl Spread {
    /// Of values, at least one.
    pub(crate) fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let count = values.clone().count() as f64;
        let mean = values.clone().sum::<f64>() / count;
        let squares: f64 = values.map(|value| (value - mean) * (value - mean)).sum();
        let deviation = if count > 1.0 { (squares / (count - 1.0)).sqrt() } else { 0.0 };
        Self { mean: rounded(mean), deviation: rounded(deviation) }
    }
}

/// To six places, which is more than there is to know.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

impl Condition {
    fn of(attack: Option<(&str, f64)>, records: &[&Record]) -> Self {
        let spread = |value: fn(&Record) -> f64| Spread::of(records.iter().map(|record| value(record)));
        let of_all = |value: fn(&Record) -> Option<f64>| {
            let known = records.iter().filter_map(|record| value(record));
            (known.clone().count() == records.len()).then(|| Spread::of(known))
        };
        Self {
            attack: attack.map(|(name, _)| name.to_owned()),
            share: attack.map_or(0.0, |(_, share)| share),
            liars_share: spread(|record| record.liars_share),
            liars_weight: of_all(|record| record.liars_weight),
            accuracy: spread(|record| record.accuracy),
            least: records.iter().map(|record| record.accuracy).fold(f64::INFINITY, f64::min),
            target_s: of_all(|record| record.target_s),
            time_s: spread(|record| record.time_s),
            staleness: spread(|record| record.staleness),
            recomputed: spread(|record| record.checks.recomputed as f64 / record.messages.max(1) as f64),
            liars_removed: spread(|record| record.liars_removed as f64),
            honest_removed: records.iter().map(|record| record.honest_removed).sum(),
            diverged: records.iter().filter(|record| record.diverged).count(),
        }
    }
}

impl MethodSummary {
    /// Of the records of a method, in the order of the plan.
    pub fn of(scenario: &Scenario, method: &Method, factor: f64, records: &[Record]) -> Self {
        let cells: Vec<Cell> = crate::plan::cells(scenario, method).collect();
        let seeds = scenario.run.seeds.len();
        let conditions = cells.chunks(seeds).zip(records.chunks(seeds)).map(|(cells, records)| {
            let attack = cells[0].attack.as_ref().map(|(attack, share)| (attack.name(), *share));
            Condition::of(attack, &records.iter().collect::<Vec<_>>())
        });
        let mut conditions = conditions.collect::<Vec<_>>().into_iter();
        let clean = conditions.next().expect("a plan begins with the clean runs");
        let attacked: Vec<Condition> = conditions.collect();
        let worst = worst(&scenario.run.shares, &attacked);
        let limit = clean.accuracy.mean - scenario.run.breaking_distance;
        Self {
            name: method.name.clone(),
            rate: method.rate * factor,
            factor,
            breaking_point: breaking_point(&worst, limit),
            clean,
            attacked,
            worst,
        }
    }

    /// Under an attack, or without one.
    pub fn condition(&self, attack: Option<&str>, share: f64) -> Option<&Condition> {
        match attack {
            None => Some(&self.clean),
            Some(attack) => {
                let is = |c: &&Condition| c.attack.as_deref() == Some(attack) && c.share == share;
                self.attacked.iter().find(is)
            }
        }
    }
}

/// The attack with the lowest mean, share by share.
fn worst(shares: &[f64], attacked: &[Condition]) -> Vec<Worst> {
    let of_share = |&share: &f64| {
        let here = || attacked.iter().filter(|condition| condition.share == share);
        let worst = here().min_by(|a, b| a.accuracy.mean.total_cmp(&b.accuracy.mean))?;
        let least = here().map(|condition| condition.least).fold(f64::INFINITY, f64::min);
        Some(Worst { share, attack: worst.attack.clone()?, accuracy: worst.accuracy, least })
    };
    shares.iter().filter_map(of_share).collect()
}

/// The largest share up to which no run ends below the limit; none where nobody attacks. The shares of `worst` rise.
fn breaking_point(worst: &[Worst], limit: f64) -> Option<f64> {
    let stood = worst.iter().take_while(|worst| worst.least >= limit).last();
    (!worst.is_empty()).then(|| stood.map_or(0.0, |worst| worst.share))
}

impl Summary {
    /// The method of this name.
    pub fn method(&self, name: &str) -> Option<&MethodSummary> {
        self.methods.iter().find(|method| method.name == name)
    }
}

/// The head of `curves.csv`.
pub const CURVES_HEAD: &str = "method,attack,share,seed,messages,time_s,accuracy,loss\n";

/// Lines of `curves.csv` for the records of a method, in the order of the plan.
pub fn curves(scenario: &Scenario, method: &Method, records: &[Record]) -> String {
    let mut lines = String::new();
    for (Cell { attack, seed }, record) in crate::plan::cells(scenario, method).zip(records) {
        let (attack, share) =
            attack.as_ref().map_or(("none", 0.0), |(attack, share)| (attack.name(), *share));
        for point in &record.curve {
            let loss = point.loss.map_or_else(String::new, |loss| format!("{loss:.5}"));
            writeln!(
                lines,
                "{},{attack},{share},{seed},{},{:.3},{:.5},{loss}",
                method.name, point.messages, point.time_s, point.accuracy
            )
            .expect("a String takes everything");
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(attack: &str, share: f64, accuracies: &[f64]) -> Condition {
        let record = |&accuracy: &f64| Record { accuracy, ..Record::default() };
        let records: Vec<Record> = accuracies.iter().map(record).collect();
        Condition::of(Some((attack, share)), &records.iter().collect::<Vec<_>>())
    }

    #[test]
    fn the_worst_attack_is_that_with_the_lowest_mean_and_one_bad_run_breaks_a_method() {
        let attacked = [
            condition("flip", 0.1, &[0.89, 0.91]),
            condition("push", 0.1, &[0.86, 0.96]),
            condition("flip", 0.2, &[0.7, 0.7]),
            condition("push", 0.2, &[0.5, 0.95]),
            condition("flip", 0.3, &[0.9, 0.9]),
        ];
        let worst = worst(&[0.0, 0.1, 0.2, 0.3], &attacked);
        let found: Vec<(f64, &str, f64, f64)> =
            worst.iter().map(|w| (w.share, w.attack.as_str(), w.accuracy.mean, w.least)).collect();
        let expected = [(0.1, "flip", 0.9, 0.86), (0.2, "flip", 0.7, 0.5), (0.3, "flip", 0.9, 0.9)];
        assert_eq!(found, expected);

        assert_eq!(breaking_point(&worst, 0.87), Some(0.0), "a run under the other attack ends at .86");
        assert_eq!(breaking_point(&worst, 0.86), Some(0.1), "that it stands more than .2 again is no merit");
        assert_eq!(breaking_point(&worst, 0.5), Some(0.3));
        assert_eq!(breaking_point(&[], 0.5), None);
    }
}
