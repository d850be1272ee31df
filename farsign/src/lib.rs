//! FAR-SIGN: fully asynchronous robust optimization via signed directional projections.
//!
//! Untrusted volunteers train one model together. Each holds a version `x_v` of the parameters, estimates
//! directional derivatives on a minibatch that the server chose, averages them over its own tasks, and sends one
//! **sign** per direction. The server steps along those directions as soon as an update arrives.
//!
//! ```text
//!   server                                              volunteer
//!   ------                                              ---------
//!   optimizer  x, n, alpha_n  --- task, version  --->   minibatch   xi from the task's seed     (minibatch)
//!       ^                          (wire)               gradient    grad F(x_v; xi)             (kernels)
//!       |                                               estimate    g_k = a_k . grad F          (estimate, direction)
//!       |                                               momentum    y <- y + beta_j (g - y)     (momentum)
//!       +------------------------- update ------------  signs       s_k = sign(y_k)             (sign)
//!   x <- x - alpha_n w_i sum_k a_k s_k
//! ```
//!
//! The crate contains the algorithm only: no I/O, no clock, no async, no ambient randomness. Every seed is an
//! argument, so the same code returns the same update in a browser and on a server. Only [`wire`] and [`delta_coding`]
//! handle bytes.
//!
//! Modules in reading order: the data ([`dataset`], [`random`], [`minibatch`]), the model ([`model`], [`kernels`],
//! [`math`], [`simd`]), a volunteer's update ([`direction`], [`estimate`], [`momentum`], [`sign`], [`sign_update`]),
//! the server's step ([`schedule`], [`weighting`], [`fixed_point`], [`step`], [`optimizer`], [`assignment`], [`version`],
//! [`delta_coding`]), its defences
//! ([`verification`], [`trust`], [`rollback`], [`tolerance`]), and what travels between them ([`task`], [`wire`],
//! [`delta_coding`], [`volunteer`], [`task_sizing`], [`task_timing`], [`line_budget`], [`backoff`]).
//!
//! Equations follow arXiv 2605.09337 as docs/algorithm.md reads it, which also lists the differences.
//!
//! # Examples
//!
//! One task: the server assigns it, a volunteer computes its update, the server applies the update.
//!
//! ```
//! use farsign::dataset::{Dataset, DatasetParts};
//! use farsign::direction::{DirectionFamily, DirectionSpec};
//! use farsign::estimate::Order;
//! use farsign::model::Architecture;
//! use farsign::optimizer::{FarSign, FarSignOptions, Rule, SignUpdate};
//! use farsign::schedule::{Decay, StepSize};
//! use farsign::sign_update::UpdateComputer;
//! use farsign::task::{RunSettings, Task, TaskId, VolunteerId};
//! use farsign::version::{Grid, Version};
//!
//! // Two images of 1 x 2 pixels, and softmax regression with two classes: d = 6 parameters.
//! let parts = DatasetParts { rows: 1, cols: 2, images: vec![255, 0, 0, 255], labels: vec![0, 1] };
//! let data = Dataset::from_parts(parts)?;
//! let architecture = Architecture::new(vec![2, 2])?;
//! let directions = DirectionSpec::new(DirectionFamily::Coordinate, 6, 6)?;
//!
//! let step_size = StepSize { initial: 0.1, decay: Decay::Constant };
//! let x = architecture.initial_parameters(1);
//! let mut server = FarSign::new(FarSignOptions::new(&x, directions, step_size, Rule::Plain)?);
//! let grid = Grid { fixed_point: server.fixed_point(), shift: 0 };
//! let version = Version::round(0, 0, server.x(), grid);
//! let mut volunteer = UpdateComputer::new(RunSettings {
//!     run_id: 1,
//!     architecture,
//!     order: Order::First,
//!     directions,
//!     batch: 8,
//!     beta: 0.3,
//!     task_timeout_ms: 60_000,
//!     train_digest: data.digest(),
//! });
//!
//! let task = Task {
//!     id: TaskId(1),
//!     version: version.hash(),
//!     minibatch_seed: 11,
//!     direction_seed: 12,
//!     coin_seed: 13,
//!     images: 8,
//!     shards: 1,
//!     reset_momentum: true,
//! };
//! let signs = volunteer.compute(&task, version.parameters(), &data).expect("the gradient is finite");
//! let update = SignUpdate { volunteer: VolunteerId(1), direction_seed: task.direction_seed, trust: 1.0, signs };
//! let applied = server.apply(update)?;
//! assert_eq!((applied.update, applied.weight), (1, 1.0));
//! assert!(server.parameters().iter().all(|x| (x.abs() - 0.1).abs() < 1e-4)); // every parameter moved by one step
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod assignment;
pub mod attachment;
pub mod backoff;
pub mod dataset;
pub mod delta_coding;
pub mod direction;
pub mod estimate;
pub mod fixed_point;
pub mod identity;
pub mod kernels;
pub mod keys;
pub mod learner;
pub mod line_budget;
pub mod math;
pub mod minibatch;
pub mod model;
pub mod momentum;
pub mod optimizer;
pub mod random;
pub mod rollback;
pub mod schedule;
pub mod sign;
pub mod sign_update;
pub mod simd;
pub mod step;
pub mod task;
pub mod task_issuer;
pub mod task_sizing;
pub mod task_timing;
pub mod tolerance;
pub mod training_server;
pub mod trust;
pub mod verification;
pub mod version;
pub mod volunteer;
pub mod weighting;
pub mod wire;
