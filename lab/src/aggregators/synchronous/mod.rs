//! Rules that aggregate the gradients of a round.
//!
//! A pre-aggregator transforms the gradients and passes them to the rule that it wraps. `f` is the number of Byzantine
//! gradients among the `n` that a rule tolerates by design. Counts that are too large for a small round are reduced to
//! the largest possible values, so every rule aggregates every round.

mod bucketing;
mod bulyan;
mod centered_clipping;
mod coordinate_median;
mod geometric_median;
mod krum;
mod majority_vote;
mod mean;
mod nnm;
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
pub use nnm::NearestNeighbourMixing;
pub use trimmed_mean::TrimmedMean;
