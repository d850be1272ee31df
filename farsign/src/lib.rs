//! FAR-SIGN: fully asynchronous robust optimization via signed directional projections.
//!
//! Volunteers nobody trusts train one model together. Each holds a snapshot `x_v` of the parameters, estimates
//! directional derivatives on a minibatch the server chose, averages them over its own tasks, and sends one
//! **sign** per direction. The server steps along those directions the moment a message arrives.
//!
//! ```text
//!   server                                              volunteer
//!   ------                                              ---------
//!   optimizer  x, n, alpha_n  --- task, snapshot --->   minibatch   xi from the task's seed     (minibatch)
//!       ^                          (wire)               gradient    grad F(x_v; xi)             (kernels)
//!       |                                               estimate    g_k = a_k . grad F          (estimate, direction)
//!       |                                               tracker     y <- y + beta_j (g - y)     (tracker)
//!       +------------------------- answer ------------  signs       s_k = sign(y_k)             (sign)
//!   x <- x - alpha_n w_i sum_k a_k s_k
//! ```
//!
//! This crate is the algorithm and nothing else: no I/O, no clock, no async, no ambient randomness. Every seed is
//! passed in, so the same code gives the same answer in a browser and on a server. Only [`wire`] knows bytes.
//!
//! Modules in reading order: the data ([`dataset`], [`random`], [`minibatch`]), the model ([`model`], [`kernels`],
//! [`math`]), a volunteer's answer ([`direction`], [`estimate`], [`tracker`], [`sign`], [`answer`]), the server's step
//! ([`schedule`], [`activity`], [`step`], [`optimizer`], [`assignment`]), what it does about liars ([`recomputation`],
//! [`trust`], [`moves`], [`safety`]), and what travels between them ([`task`], [`wire`], [`volunteer`], [`backoff`]).
//!
//! Equations follow arXiv 2605.09337 as docs/algorithm.md reads it; departures are named there.

pub mod activity;
pub mod answer;
pub mod assignment;
pub mod backoff;
pub mod dataset;
pub mod direction;
pub mod estimate;
pub mod kernels;
pub mod math;
pub mod minibatch;
pub mod model;
pub mod moves;
pub mod optimizer;
pub mod random;
pub mod recomputation;
pub mod safety;
pub mod schedule;
pub mod sign;
pub mod step;
pub mod task;
pub mod tracker;
pub mod trust;
pub mod vectors;
pub mod volunteer;
pub mod wire;
