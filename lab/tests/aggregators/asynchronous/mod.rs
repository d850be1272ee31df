//! Properties of the asynchronous rules.

mod invalid_gradients;
mod training;
mod updates;

use farsign_lab::aggregators::{AsyncAggregator, GradientUpdate};

/// Sends a rule a fresh gradient of `worker` at `x`, and returns the new `x`.
fn send(rule: &mut dyn AsyncAggregator, worker: usize, gradient: &[f32], x: &[f32]) -> Vec<f32> {
    send_stale(rule, worker, gradient, x, 0)
}

/// Like [`send`], for a gradient with this staleness.
fn send_stale(
    rule: &mut dyn AsyncAggregator,
    worker: usize,
    gradient: &[f32],
    x: &[f32],
    staleness: u64,
) -> Vec<f32> {
    let mut moved = x.to_vec();
    rule.receive(
        &GradientUpdate {
            worker,
            gradient,
            x_sent: x,
            staleness,
        },
        &mut moved,
    );
    moved
}
