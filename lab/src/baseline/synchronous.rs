//! Rules that join the gradients of a round into one.
//!
//! A pre-aggregator mixes the gradients, and hands them to the rule that it wraps. `f` is how many of the `n` gradients
//! a rule reckons with as hostile. Counts that a round is too small for are cut to what is possible, so that every rule
//! joins every round, whatever became of the rest of it.

mod bucketing;
mod bulyan;
mod centered_clipping;
mod coordinate_median;
mod geometric_median;
mod krum;
mod majority_vote;
mod mean;
mod nearest_neighbour_mixing;
mod trimmed_mean;

pub use bucketing::{Bucketing, bucket_means};
pub use bulyan::Bulyan;
pub use centered_clipping::CenteredClipping;
pub use coordinate_median::CoordinateMedian;
pub use geometric_median::GeometricMedian;
pub(super) use geometric_median::smoothed_weiszfeld;
pub use krum::{Krum, MultiKrum, Neighbours};
pub use majority_vote::MajorityVote;
pub use mean::Mean;
pub use nearest_neighbour_mixing::NearestNeighbourMixing;
pub use trimmed_mean::TrimmedMean;
