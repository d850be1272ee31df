//! What the parts of a run share: its log, its board and the reports of its learner.
//!
//! ```text
//!   gateways --records--> Log --entries, in one order--> learner --bulletins--> Board --> gateways
//!   verifiers --verdicts--^                              learner --reports----> operators
//! ```
//!
//! [`log`]: the records of the run in their order, durable. Whatever the learner knows follows from them. [`board`]: what
//! the learner publishes for the gateways. [`jobs`]: updates to verify. [`reports`]: statistics of volunteers, on request.
//! [`embedded`] has the implementations for one process.

pub mod board;
pub mod embedded;
pub mod jobs;
pub mod log;
pub mod reports;
