//! The lab: a deterministic simulation that compares FAR-SIGN with published methods under attack.
//!
//! A scenario file describes a suite of runs: methods, attacks, Byzantine fractions, seeds.
//!
//! ```text
//!   scenario ---> suite: plan of runs ---> engine: one run ---> RunMetrics ---> curves.csv, summary.json
//!   (TOML)        (method, attack,             |
//!                  fraction, seed)             |
//!                                              v
//!              asynchronous:                synchronous: rounds            centralized:
//!              clock and heap of events     wait for all or a fraction     one machine
//!                    |                            |
//!                    |  tasks      updates        |
//!                    v                            v
//!              servers  <-----  worker pool: honest and Byzantine workers
//!              FAR-SIGN's server, built from the product's own parts; or a server that receives gradients
//!
//!   suite::results: results read back ---> report: tables in Markdown ---> report::plot: SVG
//!   studies::convergence: decay of the gradient norm      studies::tolerance: tolerance estimate and ground truth
//! ```
//!
//! The simulated FAR-SIGN runs the product's code: optimizer, kernels, updates, assignment, weights, trust and
//! verification come from the `farsign` crate. The lab adds the network and the workers around it, attackers, and the
//! methods for comparison.
//!
//! Modules, each of which imports only earlier ones: `rng`, `stats`, [`scenario`], [`aggregators`], [`data`],
//! [`metrics`], `servers`, `engine`, [`suite`], [`report`], [`studies`].
//!
//! The same scenario, seeds and data give the same bytes of output, for any number of threads.

pub mod aggregators;
pub mod data;
mod engine;
pub mod metrics;
pub mod report;
mod rng;
pub mod scenario;
mod servers;
pub mod stats;
pub mod studies;
pub mod suite;
#[doc(hidden)]
pub mod testing;

pub use servers::InjectedFault;
