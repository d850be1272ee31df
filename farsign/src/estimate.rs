//! Estimators `g` of directional derivatives.
//!
//! ```text
//!   first order    g_k = a_k . grad F(x_v; xi)                                      one gradient for all directions
//!   zeroth order   g_k = [F(x_v + delta a_k; xi) - F(x_v - delta a_k; xi)] / (2 delta)     two losses a direction
//! ```
//!
//! A first-order estimate is stored as the gradient itself, because the average of `A grad F` over tasks is `A` times
//! the average; see [`crate::momentum`].

use crate::direction::Directions;

/// The order of the estimator that volunteers evaluate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Order {
    /// First order: gradients.
    First,
    /// Zeroth order (gradient-free): central differences of losses.
    Zeroth {
        /// Finite-difference radius, above 0.
        delta: f32,
    },
}

/// Computes the zeroth-order estimates at `x`, `[d]`, into `g`, `[K]`.
///
/// `loss` is the loss on one minibatch, which both sides of a difference share. `shifted` is scratch space, `[d]`.
pub fn zeroth_order(
    mut loss: impl FnMut(&[f32]) -> f32,
    x: &[f32],
    directions: &Directions,
    delta: f32,
    shifted: &mut Vec<f32>,
    g: &mut [f32],
) {
    for (k, g) in g.iter_mut().enumerate() {
        let mut loss_at = |by: f32| {
            shifted.clear();
            shifted.extend_from_slice(x);
            directions.add_row(k, by, shifted);
            loss(shifted)
        };
        *g = (loss_at(delta) - loss_at(-delta)) / (2.0 * delta);
    }
}

#[cfg(all(test, not(target_family = "wasm")))] // proptest does not run in a browser
mod tests {
    use super::*;
    use crate::direction::{DirectionFamily, DirectionSpec};
    use crate::kernels::sparse::Kernel;
    use crate::minibatch::Minibatch;
    use crate::model::Architecture;
    use crate::random::Stream;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn zeroth_order_matches_first_order(seed: u64, which in 0usize..4) {
            let family = [
                DirectionFamily::Coordinate, DirectionFamily::Hadamard { block: 16 },
                DirectionFamily::Rademacher, DirectionFamily::Sparse { nonzeros: 3 },
            ][which];
            let architecture = Architecture::new(vec![6, 3]).unwrap();
            let d = architecture.parameters();
            let mut stream = Stream::new(seed);
            let x: Vec<f32> = (0..d).map(|_| stream.unit() - 0.5).collect();
            let mut batch = Minibatch::default();
            batch.inputs.clear();
            for _ in 0..8 {
                (0..6).for_each(|pixel| batch.inputs.push(pixel, stream.unit()));
                batch.inputs.end_row();
                batch.labels.push(stream.below(3) as u8);
            }
            let mut kernel = Kernel::new(&architecture);
            let mut directions = Directions::new(DirectionSpec::new(family, 7, d).unwrap(), seed);

            let mut gradient = vec![0.0; d];
            let mut first = vec![0.0; 7];
            kernel.loss_and_gradient(&x, &batch, &mut gradient);
            directions.project(&gradient, &mut first);
            let mut zeroth = vec![0.0; 7];
            let loss = |x: &[f32]| kernel.loss(x, &batch);
            zeroth_order(loss, &x, &directions, 1e-2, &mut Vec::new(), &mut zeroth);
            for k in 0..7 {
                prop_assert!((first[k] - zeroth[k]).abs() < 1e-3, "{:?}: {} and {}", family, first[k], zeroth[k]);
            }
        }
    }
}
