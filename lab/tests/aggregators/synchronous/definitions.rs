//! Comparison of the rules with literal implementations of their definitions.

use farsign_lab::aggregators::synchronous::{
    Bulyan, CoordinateMedian, GeometricMedian, Krum, MajorityVote, MultiKrum,
    NearestNeighbourMixing, Neighbours, TrimmedMean,
};

use super::{aggregate, assert_near, round, slices};
use farsign_lab::aggregators::synchronous::Mean;

/// Returns rounds of 1 to 15 and of 40 gradients, with every `f`.
///
/// The long rounds test selection, which sorts short slices. Some `f` exceed the limits of a method.
fn rounds() -> impl Iterator<Item = (u64, usize, Vec<Vec<f32>>)> {
    let sizes = (1..=15)
        .chain([40])
        .flat_map(|n| (0..=n).map(move |f| (n, f)));
    sizes
        .flat_map(|(n, f)| (0..3).map(move |i| (n, f, 10_000 * n as u64 + 100 * f as u64 + i)))
        .map(|(n, f, seed)| {
            let rows = round(seed, n, 5);
            (seed, f, rows)
        })
}

fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
        .sum()
}

fn sorted_column(rows: &[Vec<f32>], k: usize) -> Vec<f32> {
    let mut column: Vec<f32> = rows.iter().map(|row| row[k]).collect();
    column.sort_by(f32::total_cmp);
    column
}

fn mean(values: &[f32]) -> f32 {
    (values.iter().map(|value| f64::from(*value)).sum::<f64>() / values.len() as f64) as f32
}

fn median(sorted: &[f32]) -> f32 {
    let n = sorted.len();
    if n % 2 == 1 {
        sorted[n / 2]
    } else {
        mean(&sorted[n / 2 - 1..=n / 2])
    }
}

fn columns(rows: &[Vec<f32>], f: impl Fn(&[f32]) -> f32) -> Vec<f32> {
    (0..rows[0].len())
        .map(|k| f(&sorted_column(rows, k)))
        .collect()
}

/// Returns indices of `rows`, best score first.
fn krum_order(rows: &[Vec<f32>], f: usize, offset: usize) -> Vec<usize> {
    let n = rows.len();
    let wanted = if n > f + offset { n - f - offset } else { 1 };
    let score = |i: usize| -> f64 {
        let mut distances: Vec<f64> = (0..n)
            .filter(|j| *j != i)
            .map(|j| squared_distance(&rows[i], &rows[j]))
            .collect();
        distances.sort_by(f64::total_cmp);
        distances.iter().take(wanted).sum()
    };
    let mut scored: Vec<(f64, usize)> = (0..n).map(|i| (score(i), i)).collect();
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    scored.into_iter().map(|(_, i)| i).collect()
}

#[test]
fn median_and_trimmed_mean_match_sorting() {
    for (seed, f, rows) in rounds() {
        assert_eq!(
            aggregate(&CoordinateMedian, &rows),
            columns(&rows, median),
            "seed {seed}"
        );
        let trimmed = f.min((rows.len() - 1) / 2);
        let expected = columns(&rows, |sorted| {
            mean(&sorted[trimmed..sorted.len() - trimmed])
        });
        assert_near(
            &aggregate(&TrimmedMean { trimmed: f }, &rows),
            &expected,
            1e-6,
            &format!("f {f}, seed {seed}"),
        );
    }
}

#[test]
fn krum_selects_by_score() {
    for (seed, f, rows) in rounds() {
        for offset in [1, 2] {
            let order = krum_order(&rows, f, offset);
            let neighbours = Neighbours { f, offset };
            let case = format!("f {f}, offset {offset}, seed {seed}");
            assert_eq!(
                aggregate(&Krum { neighbours }, &rows),
                rows[order[0]],
                "{case}"
            );
            let selected = rows.len() / 2 + 1;
            let chosen: Vec<Vec<f32>> =
                order[..selected].iter().map(|i| rows[*i].clone()).collect();
            assert_eq!(
                aggregate(
                    &MultiKrum {
                        neighbours,
                        selected
                    },
                    &rows
                ),
                aggregate(&Mean, &chosen),
                "{case}"
            );
        }
    }
}

#[test]
fn bulyan_matches_definition() {
    for (seed, f, rows) in rounds() {
        let rule = Bulyan::paper(rows.len(), f);
        let mut rest = rows.clone();
        let mut selected = Vec::new();
        while selected.len() < rule.selected {
            selected.push(rest.remove(krum_order(&rest, f, 2)[0]));
        }
        let expected = columns(&selected, |sorted| {
            let middle = median(sorted);
            let mut closest = sorted.to_vec();
            closest.sort_by(|a, b| (a - middle).abs().total_cmp(&(b - middle).abs()));
            mean(&closest[..rule.averaged])
        });
        assert_near(
            &aggregate(&rule, &rows),
            &expected,
            1e-5,
            &format!("f {f}, seed {seed}"),
        );
    }
}

#[test]
fn nnm_matches_definition() {
    for (seed, f, rows) in rounds().filter(|(_, f, rows)| *f < rows.len()) {
        let mixed: Vec<Vec<f32>> = rows
            .iter()
            .map(|row| {
                let mut closest = rows.clone();
                closest
                    .sort_by(|a, b| squared_distance(row, a).total_cmp(&squared_distance(row, b)));
                aggregate(&Mean, &closest[..rows.len() - f])
            })
            .collect();
        let found = aggregate(
            &NearestNeighbourMixing {
                f,
                rule: TrimmedMean { trimmed: f },
            },
            &rows,
        );
        assert_near(
            &found,
            &aggregate(&TrimmedMean { trimmed: f }, &mixed),
            1e-6,
            &format!("f {f}, seed {seed}"),
        );
    }
}

#[test]
fn geometric_median_minimizes_distances() {
    for seed in 0..30 {
        let rows = round(seed, 9, 4);
        let sum = |z: &[f32]| -> f64 {
            slices(&rows)
                .iter()
                .map(|row| squared_distance(row, z).sqrt())
                .sum()
        };
        let found = aggregate(
            &GeometricMedian {
                smoothing: 1e-6,
                iterations: 500,
            },
            &rows,
        );
        let minimum = sum(&found);
        for k in 0..4 {
            for step in [-0.1, 0.1] {
                let mut near = found.clone();
                near[k] += step;
                assert!(
                    minimum < sum(&near),
                    "seed {seed}: {minimum} is not the minimum at {k} by {step}"
                );
            }
        }
        for other in rows.iter().chain([&aggregate(&Mean, &rows)]) {
            assert!(
                minimum <= sum(other) + 1e-4,
                "seed {seed}: {minimum} is more than at {other:?}"
            );
        }
    }
}

#[test]
fn majority_vote_decides_each_coordinate() {
    let rows = [
        [1.0, -0.1, 3.0, 0.0],
        [2.0, -9.0, -3.0, 0.0],
        [-100.0, 0.0, 0.0, 5.0],
    ]
    .map(Vec::from);
    assert_eq!(aggregate(&MajorityVote, &rows), [1.0, -1.0, 0.0, 1.0]);
}
