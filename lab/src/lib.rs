//! The lab: FAR-SIGN and its peers against liars, in a deterministic simulation.
//!
//! ```text
//!   scenario ---> plan of runs ---> experiment ---> record ---> curves.csv, summary.json
//!   (TOML)        (method, attack,      |
//!                  share, seed)         |
//!                                       v
//!              asynchronous: simulation          synchronous: rounds          control
//!              clock and heap of events          wait for all or a share      one machine
//!                    |                                 |
//!                    |  tasks        answers           |
//!                    v                                 v
//!              host  <-------  workshop: workers, honest and lying
//!              FAR-SIGN's server of the product's own parts; or a rule that is sent gradients
//!
//!   archive: results read back ---> document: tables in Markdown ---> plot: SVG
//!   rate: how fast gradients vanish                  calibration: the host's safety readout beside the truth
//! ```
//!
//! FAR-SIGN is simulated by the code that the product runs: optimizer, kernels, answers, assignment, weights, trust and
//! checks come from the `farsign` package. What is the lab's own is the world around them, the liars, and the rules that
//! it is compared with.
//!
//! The same scenario, seeds and data give the same bytes of output, whatever the number of threads.

pub mod archive;
pub mod attack;
pub mod baseline;
pub mod calibration;
pub mod campaign;
mod chance;
mod control;
pub mod document;
pub mod expectation;
pub mod experiment;
mod fleet;
pub mod folder;
mod host;
pub mod materials;
pub mod method;
mod peers;
mod plan;
pub mod plot;
pub mod rate;
pub mod record;
pub mod report;
mod rounds;
pub mod scenario;
mod simulation;
pub mod summary;
#[cfg(test)]
mod testing;
mod workshop;

pub use host::{CheckTally, Fault};
