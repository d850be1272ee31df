//! Comparison of the synchronous rules with other libraries: `lab/testdata/synchronous.json`, written by
//! `lab/vectors/generate.py`.

use std::collections::BTreeSet;

use farsign_lab::aggregators::Aggregator;
use farsign_lab::aggregators::synchronous::{
    Bulyan, CenteredClipping, CoordinateMedian, GeometricMedian, Krum, Mean, MultiKrum,
    NearestNeighbourMixing, Neighbours, TrimmedMean, bucket_means,
};
use serde::Deserialize;

/// Maximum difference, relative to the expected value or to 1.
const TOLERANCE: f64 = 1e-5;

#[derive(Deserialize)]
struct Group {
    /// Kind of the gradients.
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

/// Parameters of a rule; missing ones are 0.
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
    serde_json::from_str(include_str!("../../testdata/synchronous.json"))
        .expect("the vectors have this form")
}

fn aggregate(rule: &str, parameters: &Parameters, gradients: &[&[f32]]) -> Vec<f32> {
    let &Parameters {
        f,
        offset,
        selected,
        averaged,
        trimmed,
        smoothing,
        radius,
        iterations,
        size,
    } = parameters;
    let neighbours = Neighbours { f, offset };
    match rule {
        "mean" => Mean.aggregate(gradients),
        "krum" => Krum { neighbours }.aggregate(gradients),
        "multi_krum" => MultiKrum {
            neighbours,
            selected,
        }
        .aggregate(gradients),
        "coordinate_median" => CoordinateMedian.aggregate(gradients),
        "trimmed_mean" => TrimmedMean { trimmed }.aggregate(gradients),
        "geometric_median" => GeometricMedian {
            smoothing,
            iterations,
        }
        .aggregate(gradients),
        "bulyan" => Bulyan {
            neighbours,
            selected,
            averaged,
        }
        .aggregate(gradients),
        "centered_clipping_twice" => {
            let rule = CenteredClipping::new(radius, iterations);
            rule.aggregate(gradients);
            rule.aggregate(gradients)
        }
        "nnm_then_krum" => NearestNeighbourMixing {
            f,
            rule: Krum { neighbours },
        }
        .aggregate(gradients),
        "nnm_then_coordinate_median" => NearestNeighbourMixing {
            f,
            rule: CoordinateMedian,
        }
        .aggregate(gradients),
        "nnm_then_trimmed_mean" => NearestNeighbourMixing {
            f,
            rule: TrimmedMean { trimmed },
        }
        .aggregate(gradients),
        "buckets_then_coordinate_median" => {
            let means = bucket_means(gradients, size);
            CoordinateMedian.aggregate(&means.iter().map(Vec::as_slice).collect::<Vec<_>>())
        }
        _ => panic!("the vectors have an unknown rule: {rule}"),
    }
}

#[test]
fn rules_match_other_libraries() {
    for group in groups() {
        let gradients: Vec<&[f32]> = group.gradients.iter().map(Vec::as_slice).collect();
        for Expected {
            library,
            rule,
            parameters,
            gradient,
        } in &group.expected
        {
            let found = aggregate(rule, parameters, &gradients);
            let case = format!(
                "{rule} {parameters:?} of {library}, {} gradients, {}",
                gradients.len(),
                group.input
            );
            assert_eq!(found.len(), gradient.len(), "{case}");
            for (k, (found, expected)) in found.iter().zip(gradient).enumerate() {
                let allowed = TOLERANCE * expected.abs().max(1.0);
                let difference = (f64::from(*found) - expected).abs();
                assert!(
                    difference <= allowed,
                    "{case}: expected {expected} at {k}, found {found}"
                );
            }
        }
    }
}

#[test]
fn vectors_cover_rules_sizes_and_attacks() {
    let groups = groups();
    let sizes: BTreeSet<(usize, usize)> = groups
        .iter()
        .map(|group| (group.gradients.len(), group.gradients[0].len()))
        .collect();
    assert_eq!(sizes, BTreeSet::from([(5, 3), (11, 17), (20, 40), (23, 8)]));
    for group in &groups {
        let rules: BTreeSet<&str> = group
            .expected
            .iter()
            .map(|expected| expected.rule.as_str())
            .collect();
        assert_eq!(rules.len(), 12, "{}: {rules:?}", group.input);
    }
    let inputs: BTreeSet<&str> = groups.iter().map(|group| group.input.as_str()).collect();
    assert_eq!(inputs.len(), 5, "{inputs:?}");
}
