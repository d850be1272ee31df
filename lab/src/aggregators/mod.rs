//! Published aggregation rules, for comparison with FAR-SIGN.
//!
//! ```text
//!   synchronous     wait for a round, aggregate, step               x <- x - eta R(g_1, ..., g_n)
//!                   mean, Krum, Multi-Krum, coordinate median, trimmed mean, geometric median, Bulyan, centered
//!                   clipping, majority vote; pre-aggregation: nearest-neighbour mixing (NNM), bucketing
//!
//!   asynchronous    each gradient is processed on arrival           x <- x - eta (a function of g_i)
//!     stateless              ASGD, FedAsync
//!     state per worker       Kardam, CTMA
//!     buffers                BASGD, FedBuff
//!     server data            Zeno++, AFLGuard: they receive a gradient that the server computes itself
//! ```
//!
//! All of them receive whole gradients, 32 bits per parameter; FAR-SIGN receives one bit. docs/lab.md lists the
//! definitions, and where libraries and papers disagree.
//!
//! Gradients that are not finite are rejected before any rule receives them, as every server can detect them. A
//! synchronous rule aggregates the others in a smaller round; an asynchronous rule ignores the gradient. An empty round
//! gives zeros. Finite gradients of any size give a finite aggregate. Parameters beyond the range of `f32` become
//! infinite; rules do not guard against divergence.

pub mod asynchronous;
pub(crate) mod build;
pub(crate) mod math;
pub mod synchronous;

/// A gradient as it arrives at the server.
#[derive(Clone, Copy, Debug)]
pub struct GradientUpdate<'a> {
    /// The sender.
    pub worker: usize,
    /// The gradient at the snapshot, or an attacker's replacement for it, `[d]`.
    pub gradient: &'a [f32],
    /// The snapshot it was computed at, `[d]`.
    pub x_sent: &'a [f32],
    /// Updates of the server's parameters since that snapshot.
    pub staleness: u64,
}

/// A rule that processes each gradient on arrival.
pub trait AsyncAggregator {
    /// Processes a gradient, and moves the parameters `x`, `[d]`, or leaves them unchanged.
    fn receive(&mut self, update: &GradientUpdate<'_>, x: &mut [f32]);
}

/// A rule that aggregates the gradients of one round. Pre-aggregators wrap another rule.
pub trait Aggregator {
    /// Returns one gradient, `[d]`, from the gradients of a round, `[n][d]`.
    fn aggregate(&self, gradients: &[&[f32]]) -> Vec<f32>;
}

impl<R: Aggregator + ?Sized> Aggregator for Box<R> {
    fn aggregate(&self, gradients: &[&[f32]]) -> Vec<f32> {
        (**self).aggregate(gradients)
    }
}
