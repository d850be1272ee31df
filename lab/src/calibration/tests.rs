//! Where the readout is right, and where it is known not to be.

use super::*;
use crate::testing::digits;

/// What is found at the end of runs with this step size: without liars, and with three of ten that turn their signs.
fn ends(rate: f64) -> (Checkpoint, Checkpoint) {
    let text = format!(
        r#"
        run = {{ messages = 500, evaluate_every = 400, seeds = [1], shares = [0.3], breaking_distance = 0.1 }}
        fleet = {{ workers = 20, spread = 0.5 }}
        tuning = {{ factors = [1.0], messages = 1, seeds = [100], cases = [] }}
        methods = [{{ name = "plain", rate = {rate}, batch = 64, kind = {{ far-sign = {{ rule = "plain" }} }} }}]
        attacks = [{{ kind = "sign-flip" }}]
        "#
    );
    let scenario = Scenario::from_toml(&text).unwrap();
    let (train, test) = digits();
    let materials = Materials::new(&scenario, &train, &test).unwrap();
    let found = measure(&scenario, &materials);
    assert_eq!(
        found.iter().map(|c| (c.attack, c.share)).collect::<Vec<_>>(),
        [(None, 0.0), (Some("sign-flip"), 0.3)]
    );
    (found[0].clone(), found[1].clone())
}

#[test]
fn it_is_right_with_small_steps_too_careful_with_liars_and_too_bold_where_all_lag() {
    let bias = |checkpoint: &Checkpoint| checkpoint.estimate.unwrap() - checkpoint.errors.mean;
    let ((small, attacked), (large, _)) = (ends(1e-5), ends(2e-2));
    assert!((-0.02..0.08).contains(&bias(&small)), "seed 1: {small:?}");
    let of_pairs = small.errors.averaged - small.errors.mean;
    assert!(of_pairs < -0.05, "seed 1: coordinates should differ, or the first line shows little: {small:?}");
    assert!(bias(&attacked) > 0.05, "seed 1: {attacked:?}");
    assert!(bias(&large) < -0.04, "seed 1: {large:?}");
}
