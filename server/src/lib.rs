//! The training server: it owns the model, serves the page and the API, and runs the sessions of volunteers.
//!
//! ```text
//!   browser / native volunteer
//!        | connections: net
//!        v
//!     router (http) --- GET /api/v1/... , the page ------------ reads snapshots, counters, history
//!        | GET /ws
//!        v
//!     session (one task each) --commands--> gateway (one task) --records--> log --entries--> learner (owns the model)
//!        ^                                     | snapshots  ^                                    |
//!        +-------------------------------------+            +--------------versions--------------+
//! ```
//!
//! Each layer imports only from layers below it:
//!
//! ```text
//!   server        wiring and shutdown
//!   config        settings -> options of every layer
//!   http
//!   session
//!   state
//!   coordinator   gateway, learner and verifier in one process; evaluation
//!   gateway, learner
//!   verifier
//!   run           log, board, jobs and reports
//!   admission
//!   store
//!   net
//!   data, counters, effort, shutdown, throughput
//! ```
//!
//! Start with [`http::router`]: the router.

#[doc(hidden)] // for tests
pub mod admission;
pub mod config;
#[doc(hidden)] // for tests
pub mod coordinator;
pub mod counters;
pub mod data;
mod effort;
mod evaluation;
pub mod gateway;
pub mod http;
pub mod learner;
pub mod net;
pub mod run;
mod server;
mod session;
pub mod shutdown;
pub mod state;
pub mod store;
mod throughput;
pub mod verifier;

pub use crate::config::settings::Settings;
pub use crate::config::{Config, ConfigErrors};
pub use crate::server::{Server, Training, TrainingError};
pub use crate::store::saved_run::SavedRun;
