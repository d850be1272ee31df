//! How an aggregate follows its gradients when all of them are shuffled, moved or scaled.

use farsign::random::{Stream, permutation_prefix};
use farsign_lab::baseline::synchronous::{Bucketing, CoordinateMedian, GeometricMedian, MajorityVote, Mean};
use farsign_lab::method::Aggregation;

use super::{D, F, N, all, assert_near, equivariant, join, round, slices, with_a_length};

#[test]
fn the_order_of_gradients_does_not_matter() {
    for seed in 0..30 {
        let rows = round(seed, N, D);
        let mut order = Vec::new();
        permutation_prefix(&mut Stream::new(!seed), N, N, &mut order);
        let shuffled: Vec<Vec<f32>> = order.iter().map(|i| rows[*i as usize].clone()).collect();
        for ((name, rule), (_, other)) in all(F).iter().zip(all(F)) {
            let (ordered, shuffled) = (join(rule, &rows), join(&other, &shuffled));
            assert_near(&shuffled, &ordered, 1e-5, &format!("{name}, seed {seed}"));
        }
    }
}

#[test]
fn gradients_that_are_all_moved_move_the_aggregate() {
    for seed in 0..30 {
        let rows = round(seed, N, D);
        let shift = round(!seed, 1, D).remove(0);
        let move_by_shift = |row: &Vec<f32>| row.iter().zip(&shift).map(|(a, b)| a + b).collect::<Vec<f32>>();
        let moved: Vec<Vec<f32>> = rows.iter().map(move_by_shift).collect();
        let mut rules = equivariant(F);
        // It begins at 0 wherever the gradients are, which after many iterations is forgotten.
        rules.push(("geometric median", Box::new(GeometricMedian { smoothing: 1e-6, iterations: 500 })));
        for (name, rule) in rules {
            let expected = move_by_shift(&join(&rule, &rows));
            assert_near(&join(&rule, &moved), &expected, 1e-4, &format!("{name}, seed {seed}"));
        }
    }
}

#[test]
fn gradients_that_are_all_scaled_scale_the_aggregate() {
    const SCALE: f32 = 4.0; // a power of two, so that nothing is rounded
    let scaled_by = |rows: &[Vec<f32>]| -> Vec<Vec<f32>> {
        rows.iter().map(|row| row.iter().map(|value| SCALE * value).collect()).collect()
    };
    for seed in 0..30 {
        let rows = round(seed, N, D);
        let scaled = scaled_by(&rows);
        let (mut rules, mut scaled_rules) = (equivariant(F), equivariant(F));
        rules.extend(with_a_length(1.0));
        scaled_rules.extend(with_a_length(f64::from(SCALE)));
        for ((name, rule), (_, scaled_rule)) in rules.iter().zip(scaled_rules) {
            let expected = scaled_by(&[join(rule, &rows)]).remove(0);
            assert_eq!(join(&scaled_rule, &scaled), expected, "{name}, seed {seed}");
        }
        assert_eq!(join(&MajorityVote, &scaled), join(&MajorityVote, &rows), "majority vote, seed {seed}");
    }
}

#[test]
fn buckets_hold_every_gradient_once_in_another_order_each_round() {
    for seed in 0..30 {
        let rows = round(seed, 12, D);
        let mean = join(&Mean, &rows);
        for size in [1, 2, 3, 4, 12, 50] {
            let case = format!("size {size}, seed {seed}");
            // Buckets of one size: their mean is the mean.
            assert_near(&join(&Bucketing::new(size, seed, Mean), &rows), &mean, 1e-5, &case);
        }
        let rule = Bucketing::new(2, seed, CoordinateMedian);
        let (first, second) = (join(&rule, &rows), join(&rule, &rows));
        assert_ne!(first, second, "two rounds with the same buckets, seed {seed}");
        let again = Bucketing::new(2, seed, CoordinateMedian);
        assert_eq!(again.aggregate(&slices(&rows)), first, "one seed, two permutations, seed {seed}");
    }
}
