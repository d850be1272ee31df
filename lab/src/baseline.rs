//! The rules that FAR-SIGN is compared with.
//!
//! ```text
//!   synchronous     wait for a round, join its gradients, step      x <- x - eta R(g_1, ..., g_n)
//!                   mean, Krum, Multi-Krum, coordinate median, trimmed mean, geometric median, Bulyan, centered
//!                   clipping, majority vote; mixed before: nearest-neighbour mixing, bucketing
//!
//!   asynchronous    a gradient is taken in when it comes            x <- x - eta (something of g_i)
//!     nothing kept           ASGD, FedAsync
//!     kept for each worker   Kardam, weighted aggregation
//!     kept in buffers        BASGD, FedBuff
//!     server data            Zeno++, AFLGuard: they see a gradient that the server computes itself
//! ```
//!
//! All of them are sent whole gradients, 32 bits a parameter; FAR-SIGN is sent one. docs/lab.md has the definitions side
//! by side, and where libraries and papers disagree.
//!
//! Gradients that are not finite are refused before any rule sees them (a server can tell, and would be foolish not
//! to): a synchronous rule joins the others, and the round is so much smaller; an asynchronous rule does as if nothing
//! had come. With nothing left, a round gives zeros. Finite gradients of any size give a finite aggregate.
//! Parameters that were steered beyond the range of `f32` become infinite; no rule prevents its own defeat.

pub mod asynchronous;
mod average;
mod coordinate;
mod distance;
mod finite;
pub mod synchronous;
