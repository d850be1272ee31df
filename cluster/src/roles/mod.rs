//! The roles of the program.
//!
//! [`learner`] is a [`standby`] until it has the seat.

pub mod gateway;
pub mod learner;
pub mod standby;
pub mod verifier;
