//! The rules beside their definitions, written down as plainly as they can be.

use farsign_lab::baseline::synchronous::{
    Bulyan, CoordinateMedian, GeometricMedian, Krum, MajorityVote, MultiKrum, NearestNeighbourMixing,
    Neighbours, TrimmedMean,
};

use super::{assert_near, join, round, slices};
use farsign_lab::baseline::synchronous::Mean;

/// Rounds of every size from one gradient to fifteen, and of forty (few values are selected by sorting them), with every
/// `f`, also where the method asks for more gradients.
fn rounds() -> impl Iterator<Item = (u64, usize, Vec<Vec<f32>>)> {
    let sizes = (1..=15).chain([40]).flat_map(|n| (0..=n).map(move |f| (n, f)));
    sizes.flat_map(|(n, f)| (0..3).map(move |i| (n, f, 10_000 * n as u64 + 100 * f as u64 + i))).map(
        |(n, f, seed)| {
            let rows = round(seed, n, 5);
            (seed, f, rows)
        },
    )
}

fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
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
    if n % 2 == 1 { sorted[n / 2] } else { mean(&sorted[n / 2 - 1..=n / 2]) }
}

fn columns(rows: &[Vec<f32>], join: impl Fn(&[f32]) -> f32) -> Vec<f32> {
    (0..rows[0].len()).map(|k| join(&sorted_column(rows, k))).collect()
}

/// Indices of `rows`, best score first.
fn krum_order(rows: &[Vec<f32>], f: usize, offset: usize) -> Vec<usize> {
    let n = rows.len();
    let wanted = if n > f + offset { n - f - offset } else { 1 };
    let score = |i: usize| -> f64 {
        let mut distances: Vec<f64> =
            (0..n).filter(|j| *j != i).map(|j| squared_distance(&rows[i], &rows[j])).collect();
        distances.sort_by(f64::total_cmp);
        distances.iter().take(wanted).sum()
    };
    let mut scored: Vec<(f64, usize)> = (0..n).map(|i| (score(i), i)).collect();
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    scored.into_iter().map(|(_, i)| i).collect()
}

#[test]
fn median_and_trimmed_mean_are_those_of_sorted_columns() {
    for (seed, f, rows) in rounds() {
        assert_eq!(join(&CoordinateMedian, &rows), columns(&rows, median), "seed {seed}");
        let trimmed = f.min((rows.len() - 1) / 2);
        let expected = columns(&rows, |sorted| mean(&sorted[trimmed..sorted.len() - trimmed]));
        assert_near(
            &join(&TrimmedMean { trimmed: f }, &rows),
            &expected,
            1e-6,
            &format!("f {f}, seed {seed}"),
        );
    }
}

#[test]
fn krum_and_multi_krum_choose_by_their_scores() {
    for (seed, f, rows) in rounds() {
        for offset in [1, 2] {
            let (order, neighbours) = (krum_order(&rows, f, offset), Neighbours { f, offset });
            let case = format!("f {f}, offset {offset}, seed {seed}");
            assert_eq!(join(&Krum { neighbours }, &rows), rows[order[0]], "{case}");
            let selected = rows.len() / 2 + 1;
            let chosen: Vec<Vec<f32>> = order[..selected].iter().map(|i| rows[*i].clone()).collect();
            assert_eq!(join(&MultiKrum { neighbours, selected }, &rows), join(&Mean, &chosen), "{case}");
        }
    }
}

#[test]
fn bulyan_chooses_with_krum_and_averages_around_the_median() {
    for (seed, f, rows) in rounds() {
        let rule = Bulyan::paper(rows.len(), f);
        let (mut rest, mut selected) = (rows.clone(), Vec::new());
        while selected.len() < rule.selected {
            selected.push(rest.remove(krum_order(&rest, f, 2)[0]));
        }
        let expected = columns(&selected, |sorted| {
            let middle = median(sorted);
            let mut closest = sorted.to_vec();
            closest.sort_by(|a, b| (a - middle).abs().total_cmp(&(b - middle).abs()));
            mean(&closest[..rule.averaged])
        });
        assert_near(&join(&rule, &rows), &expected, 1e-5, &format!("f {f}, seed {seed}"));
    }
}

#[test]
fn mixing_averages_each_gradient_with_its_closest() {
    for (seed, f, rows) in rounds().filter(|(_, f, rows)| *f < rows.len()) {
        let mixed: Vec<Vec<f32>> = rows
            .iter()
            .map(|row| {
                let mut closest = rows.clone();
                closest.sort_by(|a, b| squared_distance(row, a).total_cmp(&squared_distance(row, b)));
                join(&Mean, &closest[..rows.len() - f])
            })
            .collect();
        let found = join(&NearestNeighbourMixing { f, rule: TrimmedMean { trimmed: f } }, &rows);
        assert_near(&found, &join(&TrimmedMean { trimmed: f }, &mixed), 1e-6, &format!("f {f}, seed {seed}"));
    }
}

#[test]
fn the_geometric_median_is_where_the_sum_of_distances_is_smallest() {
    for seed in 0..30 {
        let rows = round(seed, 9, 4);
        let sum =
            |z: &[f32]| -> f64 { slices(&rows).iter().map(|row| squared_distance(row, z).sqrt()).sum() };
        let found = join(&GeometricMedian { smoothing: 1e-6, iterations: 500 }, &rows);
        let least = sum(&found);
        for k in 0..4 {
            for step in [-0.1, 0.1] {
                let mut near = found.clone();
                near[k] += step;
                assert!(least < sum(&near), "seed {seed}: {least} is more than {step} beside it at {k}");
            }
        }
        for other in rows.iter().chain([&join(&Mean, &rows)]) {
            assert!(least <= sum(other) + 1e-4, "seed {seed}: {least} is more than at {other:?}");
        }
    }
}

#[test]
fn the_majority_decides_each_coordinate_and_ties_move_nothing() {
    let rows = [[1.0, -0.1, 3.0, 0.0], [2.0, -9.0, -3.0, 0.0], [-100.0, 0.0, 0.0, 5.0]].map(Vec::from);
    assert_eq!(join(&MajorityVote, &rows), [1.0, -1.0, 0.0, 1.0]);
}
