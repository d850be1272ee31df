//! Weights by agreement with a gradient that the server computes itself. Needs server data.
//!
//! ```text
//!   c_i  = sum_k s_k q_k / sum_k |q_k|            agreement of an update with q = A grad F(x; server data)
//!   r_i <- r_i + .1 (c_i - r_i)                   of worker i
//!   w_i  = min(1, max(0, r_i) / Q)^2              Q the 35 % quantile of the positive r
//! ```

use std::sync::Arc;

use farsign::dataset::Dataset;
use farsign::direction::{DirectionSpec, Directions};
use farsign::kernels::sparse::Kernel;
use farsign::minibatch::Minibatch;
use farsign::model::Architecture;
use farsign::sign::SignBits;

/// Rate of the moving average `r_i`.
const EMA_RATE: f32 = 0.1;

/// Fraction of the positive `r` below `Q`.
const QUANTILE: f64 = 0.35;

/// The server's own gradient, and the workers' agreement with it.
#[derive(Debug)]
pub struct Audit {
    data: Arc<Dataset>,
    kernel: Kernel,
    batch: Minibatch,
    batch_size: usize,
    interval: u64,
    due: u64,
    gradient: Vec<f32>,
    directions: Directions,
    /// `q`, `[K]`.
    projected: Vec<f32>,
    /// `r`, by worker.
    agreement: Vec<f32>,
    sorted: Vec<f32>,
}

/// Settings of an audit.
#[derive(Clone, Copy, Debug)]
pub struct AuditOptions {
    /// Updates from one gradient of the server to the next.
    pub interval: u64,
    /// Images in its minibatch.
    pub batch_size: usize,
    /// Number of workers.
    pub workers: usize,
}

impl Audit {
    /// Creates an audit on server data.
    pub fn new(
        data: Arc<Dataset>,
        architecture: &Architecture,
        directions: DirectionSpec,
        options: AuditOptions,
    ) -> Self {
        let AuditOptions {
            interval,
            batch_size,
            workers,
        } = options;
        Self {
            data,
            kernel: Kernel::new(architecture),
            batch: Minibatch::default(),
            batch_size,
            interval,
            due: 0,
            gradient: vec![0.0; architecture.parameters()],
            directions: Directions::new(directions, 0),
            projected: vec![0.0; directions.count()],
            agreement: vec![0.0; workers],
            sorted: Vec::new(),
        }
    }

    /// Recomputes the server's gradient if it is due after `updates` updates, on images that `seed` draws.
    pub fn refresh(
        &mut self,
        updates: u64,
        x: impl FnOnce() -> Vec<f32>,
        seed: impl FnOnce() -> u64,
    ) {
        if updates >= self.due {
            self.due = updates + self.interval;
            self.batch.draw(&self.data, seed(), self.batch_size);
            self.kernel
                .loss_and_gradient(&x(), &self.batch, &mut self.gradient);
        }
    }

    /// Resets the agreement of a worker with a new identity.
    pub fn reset(&mut self, worker: usize) {
        self.agreement[worker] = 0.0;
    }

    /// Returns the weight of an update, 0 to 1.
    pub fn weight(&mut self, worker: usize, direction_seed: u64, signs: &SignBits) -> f32 {
        self.directions.reseed(direction_seed);
        self.directions.project(&self.gradient, &mut self.projected);
        let mut agreed = 0.0f64;
        let mut all = 0.0f64;
        for (s, q) in signs.iter().zip(&self.projected) {
            agreed += f64::from(s * q);
            all += f64::from(q.abs());
        }
        let c = if all > 0.0 {
            (agreed / all) as f32
        } else {
            0.0
        };
        self.agreement[worker] += EMA_RATE * (c - self.agreement[worker]);
        let r = self.agreement[worker];
        let ratio = if r > 0.0 { r / self.quantile() } else { 0.0 };
        if ratio < 1.0 { ratio * ratio } else { 1.0 }
    }

    /// Returns `Q`; requires a positive `r`.
    fn quantile(&mut self) -> f32 {
        self.sorted.clear();
        self.sorted
            .extend(self.agreement.iter().filter(|r| **r > 0.0));
        self.sorted.sort_unstable_by(f32::total_cmp);
        self.sorted[((self.sorted.len() - 1) as f64 * QUANTILE) as usize]
    }
}
