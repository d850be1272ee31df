//! The synchronous rules beside other libraries: `lab/testdata/synchronous.json`, which `lab/vectors/generate.py` wrote.

use std::collections::BTreeSet;

use farsign_lab::baseline::synchronous::{
    Bulyan, CenteredClipping, CoordinateMedian, GeometricMedian, Krum, Mean, MultiKrum,
    NearestNeighbourMixing, Neighbours, TrimmedMean, bucket_means,
};
use farsign_lab::method::Aggregation;
use serde::Deserialize;

/// Largest difference allowed, relative to what is expected or to 1.
const TOLERANCE: f64 = 1e-5;

#[derive(Deserialize)]
struct Group {
    /// What is special about the gradients.
    input: String,
    gradients: Vec<Vec<f32>>,
    expected: Vec<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    library: String,
    rule: String,
    parameters: Parameters,
    gradient: Vec<f64>,
}

/// Those that a rule has not are 0.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Parameters {
    f: usize,
    offset: usize,
    selected: usize,
    averaged: usize,
    trimmed: usize,
    smoothing: f64,
    radius: f64,
    iterations: usize,
    size: usize,
}

fn groups() -> Vec<Group> {
    serde_json::from_str(include_str!("../testdata/synchronous.json"))
        .expect("the vectors are JSON of this form")
}

fn aggregate(rule: &str, parameters: &Parameters, gradients: &[&[f32]]) -> Vec<f32> {
    let &Parameters { f, offset, selected, averaged, trimmed, smoothing, radius, iterations, size } =
        parameters;
    let neighbours = Neighbours { f, offset };
    match rule {
        "mean" => Mean.aggregate(gradients),
        "krum" => Krum { neighbours }.aggregate(gradients),
        "multi_krum" => MultiKrum { neighbours, selected }.aggregate(gradients),
        "coordinate_median" => CoordinateMedian.aggregate(gradients),
        "trimmed_mean" => TrimmedMean { trimmed }.aggregate(gradients),
        "geometric_median" => GeometricMedian { smoothing, iterations }.aggregate(gradients),
        "bulyan" => Bulyan { neighbours, selected, averaged }.aggregate(gradients),
        "centered_clipping_twice" => {
            let rule = CenteredClipping::new(radius, iterations);
            rule.aggregate(gradients);
            rule.aggregate(gradients)
        }
        "mixing_then_krum" => NearestNeighbourMixing { f, rule: Krum { neighbours } }.aggregate(gradients),
        "mixing_then_coordinate_median" => {
            NearestNeighbourMixing { f, rule: CoordinateMedian }.aggregate(gradients)
        }
        "mixing_then_trimmed_mean" => {
            NearestNeighbourMixing { f, rule: TrimmedMean { trimmed } }.aggregate(gradients)
        }
        "buckets_then_coordinate_median" => {
            let means = bucket_means(gradients, size);
            CoordinateMedian.aggregate(&means.iter().map(Vec::as_slice).collect::<Vec<_>>())
        }
        _ => panic!("the vectors have a rule that this test does not know: {rule}"),
    }
}

#[test]
fn every_rule_gives_what_other_libraries_give() {
    for group in groups() {
        let gradients: Vec<&[f32]> = group.gradients.iter().map(Vec::as_slice).collect();
        for Expected { library, rule, parameters, gradient } in &group.expected {
            let found = aggregate(rule, parameters, &gradients);
            let case =
                format!("{rule} {parameters:?} of {library}, {} gradients, {}", gradients.len(), group.input);
            assert_eq!(found.len(), gradient.len(), "{case}");
            for (k, (found, expected)) in found.iter().zip(gradient).enumerate() {
                let allowed = TOLERANCE * expected.abs().max(1.0);
                let difference = (f64::from(*found) - expected).abs();
                assert!(difference <= allowed, "{case}: expected {expected} at {k}, found {found}");
            }
        }
    }
}

#[test]
fn the_vectors_cover_every_rule_at_several_sizes_with_and_without_lies() {
    let groups = groups();
    let sizes: BTreeSet<(usize, usize)> =
        groups.iter().map(|group| (group.gradients.len(), group.gradients[0].len())).collect();
    assert_eq!(sizes, BTreeSet::from([(5, 3), (11, 17), (20, 40), (23, 8)]));
    for group in &groups {
        let rules: BTreeSet<&str> = group.expected.iter().map(|expected| expected.rule.as_str()).collect();
        assert_eq!(rules.len(), 12, "{}: {rules:?}", group.input);
    }
    let inputs: BTreeSet<&str> = groups.iter().map(|group| group.input.as_str()).collect();
    assert_eq!(inputs.len(), 5, "{inputs:?}");
}
