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
//! In reading order: [`connection`], [`names`], [`log`], [`board`], [`jobs`], [`reports`], [`run`] (its identity, its
//! streams, and which processes are there), and the roles of the program: [`roles`].

pub mod board;
pub mod connection;
mod error;
pub mod jobs;
pub mod log;
pub mod names;
pub mod reports;
pub mod roles;
pub mod run;
mod stream_reader;

pub use error::ClusterError;
