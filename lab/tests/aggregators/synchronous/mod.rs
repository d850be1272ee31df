//! Properties of the synchronous rules, on random rounds. Every failure names its seed.

mod definitions;
mod robustness;
mod symmetries;

use farsign::random::Stream;
use farsign_lab::aggregators::Aggregator;
use farsign_lab::aggregators::synchronous::{
    Bulyan, CenteredClipping, CoordinateMedian, GeometricMedian, Krum, MajorityVote, Mean,
    MultiKrum, NearestNeighbourMixing, Neighbours, TrimmedMean,
};

/// Gradients of a round.
const N: usize = 17;
/// Byzantine gradients of a round. With fewer than 3, two gradients could be each other's closest and tie.
const F: usize = 3;
/// Entries of a gradient.
const D: usize = 11;

/// A rule before its first round.
type Rule = Box<dyn Aggregator>;

/// Returns an approximately normal entry.
fn entry(stream: &mut Stream) -> f32 {
    (0..12).map(|_| stream.unit()).sum::<f32>() - 6.0
}

/// Returns `n` gradients around a common one.
fn round(seed: u64, n: usize, d: usize) -> Vec<Vec<f32>> {
    let mut stream = Stream::new(seed);
    let common: Vec<f32> = (0..d).map(|_| entry(&mut stream)).collect();
    (0..n)
        .map(|_| {
            common
                .iter()
                .map(|value| value + entry(&mut stream))
                .collect()
        })
        .collect()
}

fn slices(rows: &[Vec<f32>]) -> Vec<&[f32]> {
    rows.iter().map(Vec::as_slice).collect()
}

/// Returns the aggregate of a rule's first round.
fn aggregate(rule: &dyn Aggregator, rows: &[Vec<f32>]) -> Vec<f32> {
    rule.aggregate(&slices(rows))
}

/// Returns rules whose aggregate shifts and scales with the gradients.
fn equivariant(f: usize) -> Vec<(&'static str, Rule)> {
    let neighbours = Neighbours::paper(f);
    vec![
        ("mean", Box::new(Mean)),
        ("Krum", Box::new(Krum { neighbours })),
        (
            "Multi-Krum",
            Box::new(MultiKrum {
                neighbours,
                selected: N - f,
            }),
        ),
        ("coordinate median", Box::new(CoordinateMedian)),
        ("trimmed mean", Box::new(TrimmedMean { trimmed: f })),
        ("Bulyan", Box::new(Bulyan::paper(N, f))),
        (
            "NNM, Krum",
            Box::new(NearestNeighbourMixing {
                f,
                rule: Krum { neighbours },
            }),
        ),
        (
            "NNM, median",
            Box::new(NearestNeighbourMixing {
                f,
                rule: CoordinateMedian,
            }),
        ),
    ]
}

/// Returns rules with a length among their parameters, for gradients `scale` times as large.
fn with_length(scale: f64) -> Vec<(&'static str, Rule)> {
    vec![
        (
            "geometric median",
            Box::new(GeometricMedian {
                smoothing: 1e-6 * scale,
                iterations: 200,
            }),
        ),
        (
            "centered clipping",
            Box::new(CenteredClipping::new(scale, 3)),
        ),
    ]
}

/// Returns all rules except bucketing, which is random.
fn all(f: usize) -> Vec<(&'static str, Rule)> {
    let mut rules = equivariant(f);
    rules.extend(with_length(1.0));
    rules.push(("majority vote", Box::new(MajorityVote)));
    rules
}

#[track_caller]
fn assert_near(found: &[f32], expected: &[f32], tolerance: f32, case: &str) {
    assert_eq!(found.len(), expected.len(), "{case}");
    for (k, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (found - expected).abs() <= tolerance,
            "{case}: expected {expected} at {k}, found {found}"
        );
    }
}
