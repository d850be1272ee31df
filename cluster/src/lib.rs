//! A run over several machines, connected by [NATS](https://nats.io) with JetStream.
//!
//! ```text
//!   gateway --records---> stream RUN_log --entries--> learner --bulletins--> stream RUN_board --> gateway
//!   verifier --verdicts-^                             learner --jobs-------> stream RUN_jobs ---> verifier
//!                                                     learner --state------> objects RUN_checkpoints
//!                                                     learner --seat-------> bucket RUN_seat (one learner publishes)
//! ```
//!
//! The log is the run: its fold is the same on every machine. A learner that does not have the seat is a standby, which
//! takes the same entries and publishes nothing. docs/cluster.md describes the set-up.
//!
//! In reading order: [`connection`], [`names`], [`run`] (its identity and its streams), [`message`], [`log`], [`reader`],
//! [`bulletin`], [`board`], [`job`], [`jobs`], [`checkpoints`], [`seat`], [`presence`], and the roles [`gateway`],
//! [`learner`] and [`verifier`]. [`audit`] folds the whole log anew, [`moving`] moves a run between a
//! state directory and NATS.

pub mod audit;
pub mod board;
pub mod bulletin;
pub mod checkpoints;
pub mod connection;
mod error;
pub mod gateway;
pub mod job;
pub mod jobs;
pub mod learner;
pub mod log;
pub mod message;
pub mod moving;
pub mod names;
pub mod presence;
pub mod reader;
pub mod reports;
pub mod run;
pub mod seat;
pub mod standby;
pub mod verifier;

pub use error::ClusterError;
