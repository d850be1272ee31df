//! The plan of a suite: all runs of a scenario, and the search for learning rates.

use farsign_attacks::Attack;

use crate::engine::RunSpec;
use crate::metrics::{EvalSplit, RunMetrics};
use crate::scenario::{Method, Scenario, TuningCase};
use crate::servers::InjectedFault;

/// A run of the plan with its key.
#[derive(Clone, Debug)]
pub struct PlannedRun<'a> {
    /// Method, attack, Byzantine fraction and seed, as a file name.
    pub key: String,
    /// The run.
    pub spec: RunSpec<'a>,
}

/// The condition of a run.
#[derive(Clone, Copy, Debug)]
pub struct Condition {
    /// Attack and Byzantine fraction; `None` without an attack.
    pub attack: Option<(Attack, f64)>,
    /// Seed.
    pub seed: u64,
}

/// Returns all conditions of a method: without an attack, then attack by attack, by increasing Byzantine fraction, seed by
/// seed.
pub fn conditions<'a>(
    scenario: &'a Scenario,
    method: &Method,
) -> impl Iterator<Item = Condition> + 'a {
    let attacks = if method.is_centralized() {
        &[][..]
    } else {
        &scenario.attacks
    };
    let fractions = scenario
        .run
        .byzantine_fractions
        .iter()
        .filter(|fraction| **fraction > 0.0);
    let attacked = attacks
        .iter()
        .flat_map(move |&attack| fractions.clone().map(move |&fraction| (attack, fraction)));
    let all = std::iter::once(None).chain(attacked.map(Some));
    all.flat_map(|attack| {
        scenario
            .run
            .seeds
            .iter()
            .map(move |&seed| Condition { attack, seed })
    })
}

/// Returns the tuning runs of a method: factor by factor, case by case, seed by seed.
///
/// The centralized method has only the case without an attack.
pub fn tuning<'a>(scenario: &'a Scenario, method: &'a Method) -> Vec<PlannedRun<'a>> {
    let tuning = &scenario.tuning;
    if tuning.factors.len() == 1 {
        return Vec::new();
    }
    let attack = |case: &TuningCase| {
        let attack = scenario.attack(&case.attack)?;
        (case.byzantine_fraction > 0.0).then_some((attack, case.byzantine_fraction))
    };
    let centralized = method.is_centralized();
    let attacks = tuning
        .cases
        .iter()
        .map(attack)
        .filter(|attack| !(centralized && attack.is_some()));
    let conditions: Vec<Condition> = attacks
        .flat_map(|attack| {
            tuning
                .seeds
                .iter()
                .map(move |&seed| Condition { attack, seed })
        })
        .collect();
    let planned = |(&factor, condition): (&f64, &Condition)| {
        let Condition { attack, seed } = *condition;
        let updates = tuning.updates;
        let eval_split = EvalSplit::Validation;
        let spec = RunSpec {
            method,
            factor,
            attack,
            seed,
            updates,
            eval_split,
            fault: None,
        };
        PlannedRun {
            key: format!("tuning/{}--{factor}", key(method, *condition)),
            spec,
        }
    };
    tuning
        .factors
        .iter()
        .flat_map(|factor| conditions.iter().map(move |condition| (factor, condition)))
        .map(planned)
        .collect()
}

/// Returns the factor with the best mean accuracy in the metrics of [`tuning`]; the first on ties or without metrics.
pub fn best_factor(factors: &[f64], metrics: &[RunMetrics]) -> f64 {
    let mut best = (f64::NEG_INFINITY, factors[0]);
    for (metrics, &factor) in metrics
        .chunks((metrics.len() / factors.len()).max(1))
        .zip(factors)
    {
        let sum: f64 = metrics.iter().map(|metrics| metrics.accuracy).sum();
        if sum > best.0 {
            best = (sum, factor);
        }
    }
    best.1
}

/// Returns the runs of a method with the chosen factor.
pub fn runs<'a>(
    scenario: &'a Scenario,
    method: &'a Method,
    factor: f64,
    fault: Option<InjectedFault>,
) -> Vec<PlannedRun<'a>> {
    let planned = |condition: Condition| {
        let Condition { attack, seed } = condition;
        let updates = scenario.run.updates;
        let eval_split = EvalSplit::Test;
        let spec = RunSpec {
            method,
            factor,
            attack,
            seed,
            updates,
            eval_split,
            fault,
        };
        PlannedRun {
            key: format!("runs/{}", key(method, condition)),
            spec,
        }
    };
    conditions(scenario, method).map(planned).collect()
}

fn key(method: &Method, Condition { attack, seed }: Condition) -> String {
    match attack {
        None => format!("{}--none--{seed}", method.name),
        Some((attack, fraction)) => {
            format!("{}--{}-{fraction}--{seed}", method.name, attack.name())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::scenario;

    fn metrics(accuracies: &[f64]) -> Vec<RunMetrics> {
        accuracies
            .iter()
            .map(|&accuracy| RunMetrics {
                accuracy,
                ..RunMetrics::default()
            })
            .collect()
    }

    #[test]
    fn tuning_selects_best_mean_factor() {
        // Factor by factor. The best mean is neither the best first case, nor the best case, nor the best minimum.
        let tried = [[0.98, 0.1, 0.9], [0.6, 0.5, 0.6], [0.7, 0.4, 0.95]].concat();
        assert_eq!(best_factor(&[0.1, 0.5, 1.0], &metrics(&tried)), 1.0);
        assert_eq!(
            best_factor(&[0.1, 0.5], &metrics(&[0.8, 0.8])),
            0.1,
            "the first on ties"
        );
        assert_eq!(best_factor(&[0.3], &[]), 0.3, "the first without metrics");
    }

    #[test]
    fn tuning_uses_validation_data() {
        let mut scenario = scenario();
        let clean = TuningCase {
            attack: "none".to_owned(),
            byzantine_fraction: 0.0,
        };
        scenario.tuning.cases.insert(0, clean);
        scenario.tuning.seeds = vec![100, 101];
        let method = &scenario.methods[0];
        let planned = tuning(&scenario, method);
        let found = planned
            .iter()
            .map(|run| (run.spec.factor, run.spec.attack, run.spec.seed));
        let attack = Some((scenario.attack("sign-flip").unwrap(), 0.3));
        let each = |factor| {
            [
                (factor, None, 100),
                (factor, None, 101),
                (factor, attack, 100),
                (factor, attack, 101),
            ]
        };
        assert_eq!(found.collect::<Vec<_>>(), [each(0.5), each(1.0)].concat());
        assert!(
            planned
                .iter()
                .all(|run| run.spec.eval_split == EvalSplit::Validation)
        );
        let runs = runs(&scenario, method, 0.5, None);
        assert!(
            runs.iter()
                .all(|run| run.spec.eval_split == EvalSplit::Test)
        );
    }
}
