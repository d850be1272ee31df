//! What a server can be: one that applies each gradient as it comes, or one that joins those of a round.

/// A gradient that has come in.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// Who sent it.
    pub worker: usize,
    /// The gradient at the snapshot, or whatever a liar sends for it, `[d]`.
    pub gradient: &'a [f32],
    /// The snapshot it was computed at, `[d]`.
    pub x_sent: &'a [f32],
    /// Updates of the server's parameters since that snapshot.
    pub staleness: u64,
}

/// A server that applies each gradient the moment it comes.
pub trait AsyncRule {
    /// Takes in a gradient, and moves the parameters `x`, `[d]`, or leaves them.
    fn receive(&mut self, arrival: &Arrival<'_>, x: &mut [f32]);
}

/// Joins the gradients of one round into one. Pre-aggregators wrap another rule.
pub trait Aggregation {
    /// One gradient, `[d]`, from those of a round, `[n][d]`.
    fn aggregate(&self, gradients: &[&[f32]]) -> Vec<f32>;
}

impl<R: Aggregation + ?Sized> Aggregation for Box<R> {
    fn aggregate(&self, gradients: &[&[f32]]) -> Vec<f32> {
        (**self).aggregate(gradients)
    }
}
