//! What liars can and cannot do to a round.

use farsign_lab::baseline::synchronous::{Bucketing, CoordinateMedian, Mean};
use farsign_lab::method::Aggregation;
use proptest::prelude::*;

use super::{D, F, N, Rule, all, join, round, slices};

/// How far the aggregate is from what the honest gradients are around, at most, in any coordinate.
fn error(aggregate: &[f32], honest: &[Vec<f32>]) -> f32 {
    let center = join(&Mean, honest);
    aggregate.iter().zip(center).map(|(found, center)| (found - center).abs()).fold(0.0, f32::max)
}

#[test]
fn few_liars_move_the_mean_and_no_robust_rule() {
    for seed in 0..30 {
        let honest = round(seed, N - F, D);
        for lie in [vec![1e6; D], vec![-30.0; D], vec![f32::MAX; D]] {
            let rows = [honest.clone(), vec![lie.clone(); F]].concat();
            for (name, rule) in all(F).into_iter().filter(|(name, _)| *name != "majority vote") {
                let error = error(&join(&rule, &rows), &honest);
                let case = format!("{name}, lie {}, seed {seed}: {error} away", lie[0]);
                // Honest gradients spread by about 1 in each coordinate; clipping begins at 0 and takes 3 steps.
                assert!(if name == "mean" { error > 4.0 } else { error < 4.0 }, "{case}");
            }
        }
    }
}

#[test]
fn a_majority_of_liars_wins_so_the_test_above_is_real() {
    let honest = round(7, F, D);
    let rows = [honest.clone(), vec![vec![-30.0; D]; N - F]].concat();
    for (name, rule) in
        all(F).into_iter().filter(|(name, _)| !["majority vote", "centered clipping"].contains(name))
    {
        let error = error(&join(&rule, &rows), &honest);
        assert!(error > 20.0, "{name}: {error} away");
    }
}

/// All rules, bucketing among them.
fn rules() -> Vec<(&'static str, Rule)> {
    let mut rules = all(F);
    rules.push(("bucketing", Box::new(Bucketing::new(2, 1, CoordinateMedian))));
    rules
}

#[test]
fn gradients_that_are_not_finite_are_as_if_they_had_not_come() {
    let honest = round(3, N - F, D);
    for poison in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut lie = vec![0.5; D];
        lie[D - 1] = poison;
        let rows = [vec![lie.clone(); 2], honest.clone(), vec![lie.clone(); F]].concat();
        for ((name, rule), (_, other)) in rules().iter().zip(rules()) {
            assert_eq!(join(rule, &rows), join(&other, &honest), "{name}, {poison}");
        }
        for (name, rule) in rules() {
            assert_eq!(join(&rule, &[lie.clone()]), vec![0.0; D], "{name}: nothing but {poison}");
        }
    }
}

#[test]
fn a_round_without_gradients_gives_nothing_and_one_of_one_gives_something_finite() {
    for (name, rule) in rules() {
        assert!(rule.aggregate(&[]).is_empty(), "{name}");
        let one = join(&rule, &round(5, 1, D));
        assert!(one.len() == D && one.iter().all(|value| value.is_finite()), "{name}: {one:?}");
    }
}

proptest! {
    #[test]
    fn no_bits_whatever_make_a_rule_panic_or_give_what_is_not_finite(
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
