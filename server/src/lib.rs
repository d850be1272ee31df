//! The host: serves the page, owns the model, keeps volunteers apart; and a native volunteer.
//!
//! ```text
//!   browser / native volunteer
//!        | WebSocket frames                     HTTP
//!        v                                       v
//!     session (one task each) --commands--> coordinator (one thread, owns the optimizer)
//!        ^                                       | publishes immutable snapshots
//!        +---------------------------------------+--> evaluation --> history --> status --> page
//! ```
//!
//! Start with [`app`]: the API on one screen.

pub mod app;
pub mod assets;
pub mod config;
pub mod coordinator;
pub mod counters;
pub mod data_fetch;
pub mod dataset_source;
pub mod evaluation;
pub mod ledger;
pub mod progress;
pub mod seeds;
pub mod session;
pub mod settings;
pub mod status;
pub mod store;
pub mod volunteer;
