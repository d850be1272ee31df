//! The host: serves the page, owns the model, keeps volunteers apart; and a native volunteer.
//!
//! ```text
//!   browser / native volunteer
//!        | connections: edge, admission
//!        | WebSocket frames                     HTTP
//!        v                                       v
//!     session (one task each) --commands--> coordinator (one task, owns the optimizer)
//!        ^                                       | publishes immutable snapshots
//!        +---------------------------------------+--> evaluation --> history --> status --> page
//! ```
//!
//! Start with [`app`]: the API on one screen.

mod admin;
pub mod admission;
pub mod app;
pub mod assets;
pub mod config;
pub mod coordinator;
pub mod counters;
pub mod data_fetch;
pub mod dataset_source;
pub mod edge;
mod effort;
pub mod evaluation;
pub mod export;
mod headers;
mod leaderboard;
pub mod ledger;
pub mod metrics;
pub mod places;
pub mod progress;
pub mod readiness;
mod revalidate;
pub mod seeds;
pub mod session;
pub mod settings;
mod shown;
mod shown_model;
pub mod status;
pub mod store;
pub mod switch;
pub mod volunteer;
