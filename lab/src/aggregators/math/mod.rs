//! Vector mathematics of the rules.

pub mod coordinate_wise;
pub mod distance;
pub mod finite;
pub mod mean;
pub mod pairwise_distances;
pub mod sgd;
pub mod staleness;
pub mod weighted_median;
