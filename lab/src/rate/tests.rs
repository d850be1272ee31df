//! The rate, and that mistakes in the algorithm show in it.

use super::*;

/// Slopes may be so much less steep than the exponent of the abstract, which leaves out its `e` and hides its constants.
const TOLERANCE: f64 = 0.03;

/// Short runs, so that more of them is burn-in.
fn options() -> RateOptions {
    RateOptions { seeds: vec![1, 2], burn_in: 0.2, ..RateOptions::default() }
}

#[test]
fn gradients_vanish_as_fast_as_the_abstract_says_and_mistakes_keep_them() {
    let (right, turned) = (cases(20_000), RateOptions { signs_turned: true, ..options() });
    let mut constant = right.clone();
    constant.iter_mut().for_each(|case| case.slow.decay = Decay::Constant);
    for rate in measure(&right, &options()) {
        for slope in [rate.mean, rate.min, rate.recent] {
            assert!(slope.mean < rate.paper + TOLERANCE, "seeds 1, 2: {} falls as {slope:?}", rate.name);
        }
    }
    for (mistake, rates) in
        [("signs turned", measure(&right, &turned)), ("alpha constant", measure(&constant, &options()))]
    {
        for rate in rates {
            assert!(
                rate.mean.mean > -0.1,
                "seeds 1, 2: {} falls as {:?} with {mistake}",
                rate.name,
                rate.mean
            );
        }
    }
}

#[test]
fn the_document_has_a_row_a_case_and_the_same_bytes_again() {
    let options = RateOptions { seeds: vec![1], ..options() };
    let files = document(&measure(&cases(500), &options), &options, "rate");
    assert_eq!(files, document(&measure(&cases(500), &options), &options, "rate"));
    let rows = files[0].text.lines().filter(|line| line.starts_with("| ")).count();
    assert_eq!((rows, files.len()), (1 + 4, 2));
    assert!(files[0].text.contains(&files[1].name) && files[1].text.contains("zeroth, beta falling"));
}
