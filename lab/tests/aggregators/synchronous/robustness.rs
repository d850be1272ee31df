//! Robustness of a round against Byzantine gradients.

use farsign_lab::aggregators::Aggregator;
use farsign_lab::aggregators::synchronous::{Bucketing, CoordinateMedian, Mean};
use proptest::prelude::*;

use super::{D, F, N, Rule, aggregate, all, round, slices};

/// Returns the largest deviation of the aggregate from the honest mean, over coordinates.
fn error(found: &[f32], honest: &[Vec<f32>]) -> f32 {
    let center = aggregate(&Mean, honest);
    found
        .iter()
        .zip(center)
        .map(|(found, center)| (found - center).abs())
        .fold(0.0, f32::max)
}

#[test]
fn minority_moves_only_mean() {
    for seed in 0..30 {
        let honest = round(seed, N - F, D);
        for forged in [vec![1e6; D], vec![-30.0; D], vec![f32::MAX; D]] {
            let rows = [honest.clone(), vec![forged.clone(); F]].concat();
            for (name, rule) in all(F)
                .into_iter()
                .filter(|(name, _)| *name != "majority vote")
            {
                let error = error(&aggregate(&rule, &rows), &honest);
                let case = format!("{name}, forged {}, seed {seed}: {error} away", forged[0]);
                // Honest gradients deviate by about 1 in each coordinate; clipping starts at 0 and takes 3 steps.
                assert!(
                    if name == "mean" {
                        error > 4.0
                    } else {
                        error < 4.0
                    },
                    "{case}"
                );
            }
        }
    }
}

/// The counterpart of the test above: the forged gradients are strong enough to win as a majority.
#[test]
fn majority_moves_every_rule() {
    let honest = round(7, F, D);
    let rows = [honest.clone(), vec![vec![-30.0; D]; N - F]].concat();
    for (name, rule) in all(F)
        .into_iter()
        .filter(|(name, _)| !["majority vote", "centered clipping"].contains(name))
    {
        let error = error(&aggregate(&rule, &rows), &honest);
        assert!(error > 20.0, "{name}: {error} away");
    }
}

/// Returns all rules, including bucketing.
fn rules() -> Vec<(&'static str, Rule)> {
    let mut rules = all(F);
    rules.push((
        "bucketing",
        Box::new(Bucketing::new(2, 1, CoordinateMedian)),
    ));
    rules
}

#[test]
fn non_finite_gradients_are_ignored() {
    let honest = round(3, N - F, D);
    for poison in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut forged = vec![0.5; D];
        forged[D - 1] = poison;
        let rows = [
            vec![forged.clone(); 2],
            honest.clone(),
            vec![forged.clone(); F],
        ]
        .concat();
        for ((name, rule), (_, other)) in rules().iter().zip(rules()) {
            assert_eq!(
                aggregate(rule, &rows),
                aggregate(&other, &honest),
                "{name}, {poison}"
            );
        }
        for (name, rule) in rules() {
            assert_eq!(
                aggregate(&rule, &[forged.clone()]),
                vec![0.0; D],
                "{name}: only {poison}"
            );
        }
    }
}

#[test]
fn empty_and_single_rounds_are_handled() {
    for (name, rule) in rules() {
        assert!(rule.aggregate(&[]).is_empty(), "{name}");
        let one = aggregate(&rule, &round(5, 1, D));
        assert!(
            one.len() == D && one.iter().all(|value| value.is_finite()),
            "{name}: {one:?}"
        );
    }
}

proptest! {
    #[test]
    fn any_bits_give_finite_aggregate(
        rows in (1_usize..5).prop_flat_map(|d| prop::collection::vec(prop::collection::vec(prop::num::f32::ANY, d), 1..9)),
        f in 0_usize..12,
    ) {
        for (name, rule) in all(f) {
            let aggregate = rule.aggregate(&slices(&rows));
            prop_assert!(aggregate.len() == rows[0].len(), "{name}");
            prop_assert!(aggregate.iter().all(|value| value.is_finite()), "{name}: {aggregate:?}");
        }
    }
}
