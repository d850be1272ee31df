//! The known bias of the tolerance estimate.

use super::*;
use crate::testing::digits;

/// Returns the last checkpoints of runs with this learning rate: without an attack, and with three of ten sign-flipping.
fn ends(learning_rate: f64) -> (ToleranceCheckpoint, ToleranceCheckpoint) {
    let text = format!(
        r#"
        run = {{ updates = 500, evaluate_every = 400, seeds = [1], byzantine_fractions = [0.3], breaking_distance = 0.1 }}
        fleet = {{ workers = 20, spread = 0.5 }}
        tuning = {{ factors = [1.0], updates = 1, seeds = [100], cases = [] }}
        methods = [{{ name = "plain", learning_rate = {learning_rate}, batch = 64, kind = {{ far-sign = {{ rule = "plain" }} }} }}]
        attacks = [{{ kind = "sign-flip" }}]
        "#
    );
    let scenario = Scenario::from_toml(&text).unwrap();
    let (train, test) = digits();
    let data = ExperimentData::new(&scenario, &train, &test).unwrap();
    let found = measure(&scenario, &data);
    assert_eq!(
        found
            .iter()
            .map(|c| (c.attack, c.byzantine_fraction))
            .collect::<Vec<_>>(),
        [(None, 0.0), (Some("sign-flip"), 0.3)]
    );
    (found[0].clone(), found[1].clone())
}

fn bias(checkpoint: &ToleranceCheckpoint) -> f64 {
    checkpoint.estimate.unwrap() - checkpoint.errors.mean
}

#[test]
fn small_step_tolerance_estimate_bias() {
    let (clean, attacked) = ends(1e-5);
    assert!((-0.02..0.08).contains(&bias(&clean)), "seed 1: {clean:?}");
    let of_pairs = clean.errors.from_pairs - clean.errors.mean;
    assert!(
        of_pairs < -0.05,
        "seed 1: coordinates do not differ enough to test the estimate: {clean:?}"
    );
    assert!(
        bias(&attacked) > 0.05,
        "seed 1: the estimate is pessimistic under attack: {attacked:?}"
    );
}

#[test]
fn large_steps_bias_estimate_down() {
    let (clean, _) = ends(2e-2);
    assert!(bias(&clean) < -0.04, "seed 1: {clean:?}");
}
