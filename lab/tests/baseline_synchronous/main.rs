//! What the synchronous rules promise, on random rounds. Every failure names its seed.

mod definitions;
mod hostile;
mod symmetries;

use farsign::random::Stream;
use farsign_lab::baseline::synchronous::{
    Bulyan, CenteredClipping, CoordinateMedian, GeometricMedian, Krum, MajorityVote, Mean, MultiKrum,
    NearestNeighbourMixing, Neighbours, TrimmedMean,
};
use farsign_lab::method::Aggregation;

/// Gradients of a round.
const N: usize = 17;
/// Of which hostile; with at least 3, no two gradients have equal scores because they are each other's closest.
const F: usize = 3;
/// Entries of a gradient.
const D: usize = 11;

/// A rule of this round, before it has seen anything.
type Rule = Box<dyn Aggregation>;

/// A random entry, about normal.
fn entry(stream: &mut Stream) -> f32 {
    (0..12).map(|_| stream.unit()).sum::<f32>() - 6.0
}

/// `n` gradients around a common one.
fn round(seed: u64, n: usize, d: usize) -> Vec<Vec<f32>> {
    let mut stream = Stream::new(seed);
    let common: Vec<f32> = (0..d).map(|_| entry(&mut stream)).collect();
    (0..n).map(|_| common.iter().map(|value| value + entry(&mut stream)).collect()).collect()
}

fn slices(rows: &[Vec<f32>]) -> Vec<&[f32]> {
    rows.iter().map(Vec::as_slice).collect()
}

/// What a rule makes of its first round.
fn join(rule: &dyn Aggregation, rows: &[Vec<f32>]) -> Vec<f32> {
    rule.aggregate(&slices(rows))
}

/// Rules whose aggregate moves and grows with the gradients, whatever these are.
fn equivariant(f: usize) -> Vec<(&'static str, Rule)> {
    let neighbours = Neighbours::paper(f);
    vec![
        ("mean", Box::new(Mean)),
        ("Krum", Box::new(Krum { neighbours })),
        ("Multi-Krum", Box::new(MultiKrum { neighbours, selected: N - f })),
        ("coordinate median", Box::new(CoordinateMedian)),
        ("trimmed mean", Box::new(TrimmedMean { trimmed: f })),
        ("Bulyan", Box::new(Bulyan::paper(N, f))),
        ("mixing, Krum", Box::new(NearestNeighbourMixing { f, rule: Krum { neighbours } })),
        ("mixing, median", Box::new(NearestNeighbourMixing { f, rule: CoordinateMedian })),
    ]
}

/// Rules with a length among their parameters, for gradients `scale` times as large.
fn with_a_length(scale: f64) -> Vec<(&'static str, Rule)> {
    vec![
        ("geometric median", Box::new(GeometricMedian { smoothing: 1e-6 * scale, iterations: 200 })),
        ("centered clipping", Box::new(CenteredClipping::new(scale, 3))),
    ]
}

/// All rules but bucketing, which is random.
fn all(f: usize) -> Vec<(&'static str, Rule)> {
    let mut rules = equivariant(f);
    rules.extend(with_a_length(1.0));
    rules.push(("majority vote", Box::new(MajorityVote)));
    rules
}

#[track_caller]
fn assert_near(found: &[f32], expected: &[f32], tolerance: f32, case: &str) {
    assert_eq!(found.len(), expected.len(), "{case}");
    for (k, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= tolerance, "{case}: expected {expected} at {k}, found {found}");
    }
}
