//! Symmetries: shuffled, shifted and scaled gradients.

use farsign::random::{Stream, permutation_prefix};
use farsign_lab::aggregators::Aggregator;
use farsign_lab::aggregators::synchronous::{
    Bucketing, CoordinateMedian, GeometricMedian, MajorityVote, Mean,
};

use super::{D, F, N, aggregate, all, assert_near, equivariant, round, slices, with_length};

#[test]
fn aggregate_is_permutation_invariant() {
    for seed in 0..30 {
        let rows = round(seed, N, D);
        let mut order = Vec::new();
        permutation_prefix(&mut Stream::new(!seed), N, N, &mut order);
        let shuffled: Vec<Vec<f32>> = order.iter().map(|i| rows[*i as usize].clone()).collect();
        for ((name, rule), (_, other)) in all(F).iter().zip(all(F)) {
            let ordered = aggregate(rule, &rows);
            let shuffled = aggregate(&other, &shuffled);
            assert_near(&shuffled, &ordered, 1e-5, &format!("{name}, seed {seed}"));
        }
    }
}

#[test]
fn aggregate_is_translation_equivariant() {
    for seed in 0..30 {
        let rows = round(seed, N, D);
        let shift = round(!seed, 1, D).remove(0);
        let move_by_shift = |row: &Vec<f32>| {
            row.iter()
                .zip(&shift)
                .map(|(a, b)| a + b)
                .collect::<Vec<f32>>()
        };
        let moved: Vec<Vec<f32>> = rows.iter().map(move_by_shift).collect();
        let mut rules = equivariant(F);
        // It starts at 0 for any gradients, which has no effect after many iterations.
        rules.push((
            "geometric median",
            Box::new(GeometricMedian {
                smoothing: 1e-6,
                iterations: 500,
            }),
        ));
        for (name, rule) in rules {
            let expected = move_by_shift(&aggregate(&rule, &rows));
            assert_near(
                &aggregate(&rule, &moved),
                &expected,
                1e-4,
                &format!("{name}, seed {seed}"),
            );
        }
    }
}

#[test]
fn aggregate_is_scale_equivariant() {
    const SCALE: f32 = 4.0; // a power of two, so scaling is exact
    let scaled_by = |rows: &[Vec<f32>]| -> Vec<Vec<f32>> {
        rows.iter()
            .map(|row| row.iter().map(|value| SCALE * value).collect())
            .collect()
    };
    for seed in 0..30 {
        let rows = round(seed, N, D);
        let scaled = scaled_by(&rows);
        let mut rules = equivariant(F);
        let mut scaled_rules = equivariant(F);
        rules.extend(with_length(1.0));
        scaled_rules.extend(with_length(f64::from(SCALE)));
        for ((name, rule), (_, scaled_rule)) in rules.iter().zip(scaled_rules) {
            let expected = scaled_by(&[aggregate(rule, &rows)]).remove(0);
            assert_eq!(
                aggregate(&scaled_rule, &scaled),
                expected,
                "{name}, seed {seed}"
            );
        }
        assert_eq!(
            aggregate(&MajorityVote, &scaled),
            aggregate(&MajorityVote, &rows),
            "majority vote, seed {seed}"
        );
    }
}

#[test]
fn bucketing_reshuffles_each_round() {
    for seed in 0..30 {
        let rows = round(seed, 12, D);
        let mean = aggregate(&Mean, &rows);
        for size in [1, 2, 3, 4, 12, 50] {
            let case = format!("size {size}, seed {seed}");
            // The sizes divide 12 or exceed it, so the mean of bucket means is the mean.
            assert_near(
                &aggregate(&Bucketing::new(size, seed, Mean), &rows),
                &mean,
                1e-5,
                &case,
            );
        }
        let rule = Bucketing::new(2, seed, CoordinateMedian);
        let first = aggregate(&rule, &rows);
        let second = aggregate(&rule, &rows);
        assert_ne!(
            first, second,
            "two rounds with the same buckets, seed {seed}"
        );
        let again = Bucketing::new(2, seed, CoordinateMedian);
        assert_eq!(
            again.aggregate(&slices(&rows)),
            first,
            "one seed, two permutations, seed {seed}"
        );
    }
}
