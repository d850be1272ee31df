//! What the asynchronous rules do with each arrival, and with liars.

mod arrivals;
mod training;

use farsign_lab::method::{Arrival, AsyncRule};

/// Lets a rule take in a fresh gradient of `worker`, computed where `x` is, and gives where `x` is then.
fn send(rule: &mut dyn AsyncRule, worker: usize, gradient: &[f32], x: &[f32]) -> Vec<f32> {
    send_late(rule, worker, gradient, x, 0)
}

/// The same for a gradient that is `staleness` updates late.
fn send_late(
    rule: &mut dyn AsyncRule,
    worker: usize,
    gradient: &[f32],
    x: &[f32],
    staleness: u64,
) -> Vec<f32> {
    let mut moved = x.to_vec();
    rule.receive(&Arrival { worker, gradient, x_sent: x, staleness }, &mut moved);
    moved
}
