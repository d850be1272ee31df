//! The rate of convergence, and its sensitivity to faults.

use super::*;

/// Slopes may be shallower than the exponent of the abstract by this much: it omits `e` and constants.
const TOLERANCE: f64 = 0.03;

/// Short runs, with a longer burn-in.
fn options() -> ConvergenceOptions {
    ConvergenceOptions {
        seeds: vec![1, 2],
        burn_in: 0.2,
        ..ConvergenceOptions::default()
    }
}

#[test]
fn convergence_rate_matches_abstract() {
    for rate in measure(&cases(20_000), &options()) {
        for slope in [rate.mean, rate.min, rate.recent] {
            assert!(
                slope.mean < rate.paper + TOLERANCE,
                "seeds 1, 2: {} falls as {slope:?}",
                rate.name
            );
        }
    }
}

#[track_caller]
fn assert_not_convergent(cases: &[ConvergenceCase], options: &ConvergenceOptions) {
    for rate in measure(cases, options) {
        assert!(
            rate.mean.mean > -0.1,
            "seeds 1, 2: {} falls as {:?}",
            rate.name,
            rate.mean
        );
    }
}

#[test]
fn flipped_signs_prevent_convergence() {
    assert_not_convergent(
        &cases(20_000),
        &ConvergenceOptions {
            signs_flipped: true,
            ..options()
        },
    );
}

#[test]
fn constant_alpha_prevents_convergence() {
    let mut constant = cases(20_000);
    constant
        .iter_mut()
        .for_each(|case| case.slow.decay = Decay::Constant);
    assert_not_convergent(&constant, &options());
}

#[test]
fn convergence_document_is_deterministic() {
    let options = ConvergenceOptions {
        seeds: vec![1],
        ..options()
    };
    let files = document(&measure(&cases(500), &options), &options, "rate");
    assert_eq!(
        files,
        document(&measure(&cases(500), &options), &options, "rate")
    );
    let rows = files[0]
        .text
        .lines()
        .filter(|line| line.starts_with("| "))
        .count();
    assert_eq!((rows, files.len()), (1 + 4, 2));
    assert!(
        files[0].text.contains(&files[1].name) && files[1].text.contains("zeroth, beta falling")
    );
}
