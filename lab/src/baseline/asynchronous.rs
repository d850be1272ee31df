//! Rules that take in a gradient the moment it comes.
//!
//! `eta` is the step, `tau` the staleness: updates of the server since the snapshot that the gradient is of.

mod aflguard;
mod asgd;
mod basgd;
mod centered_trimming;
mod fed_async;
mod fed_buff;
mod kardam;
mod pairs;
mod staleness;
mod weighted;
mod weighted_median;
mod zeno;

pub use aflguard::AflGuard;
pub use asgd::Asgd;
pub use basgd::Basgd;
pub use centered_trimming::centered_trimmed_mean;
pub use fed_async::FedAsync;
pub use fed_buff::FedBuff;
pub use kardam::{Kardam, KardamOptions};
pub use staleness::StalenessFunction;
pub use weighted::{Weighted, WeightedMedian, WeightedOptions};
pub use zeno::{ZenoOptions, ZenoPlusPlus};

/// `x <- x - step * direction`, both `[d]`.
fn descend(x: &mut [f32], step: f64, direction: &[f32]) {
    for (x, entry) in x.iter_mut().zip(direction) {
        *x = (f64::from(*x) - step * f64::from(*entry)) as f32;
    }
}
