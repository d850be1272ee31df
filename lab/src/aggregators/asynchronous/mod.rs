//! Rules that process each gradient on arrival.
//!
//! `eta` is the step; `tau` is the staleness, the number of the server's updates since the snapshot of the gradient.

mod afl_guard;
mod asgd;
mod basgd;
mod centered_trimming;
mod ctma;
mod fed_async;
mod fed_buff;
mod kardam;
mod zeno_plus_plus;

pub use crate::aggregators::math::staleness::StalenessFunction;
pub use afl_guard::AflGuard;
pub use asgd::Asgd;
pub use basgd::Basgd;
pub use centered_trimming::centered_trimmed_mean;
pub use ctma::{Ctma, CtmaOptions, WeightedMedian};
pub use fed_async::FedAsync;
pub use fed_buff::FedBuff;
pub use kardam::{Kardam, KardamOptions};
pub use zeno_plus_plus::{ZenoOptions, ZenoPlusPlus};
