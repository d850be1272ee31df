//! Weights by agreement with a gradient of the server's own. Needs data of the host's.
//!
//! ```text
//!   c_i  = sum_k s_k q_k / sum_k |q_k|            agreement of an answer with q = A grad F(x; data of the host)
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

/// Rate at which `r_i` follows.
const RATE: f32 = 0.1;

/// Share of the positive `r` that are below `Q`.
const QUANTILE: f64 = 0.35;

/// The server's own gradient, and how far workers agree with it.
#[derive(Debug)]
pub struct Audit {
    data: Arc<Dataset>,
    kernel: Kernel,
    batch: Minibatch,
    batch_size: usize,
    every: u64,
    due: u64,
    gradient: Vec<f32>,
    directions: Directions,
    /// `q`, `[K]`.
    projected: Vec<f32>,
    /// `r`, by worker.
    agreement: Vec<f32>,
    sorted: Vec<f32>,
}

impl Audit {
    /// On data of the host, with a gradient on `batch_size` images every so many messages.
    pub fn new(
        data: Arc<Dataset>,
        architecture: &Architecture,
        directions: DirectionSpec,
        (every, batch_size): (u64, usize),
        workers: usize,
    ) -> Self {
        Self {
            data,
            kernel: Kernel::new(architecture),
            batch: Minibatch::default(),
            batch_size,
            every,
            due: 0,
            gradient: vec![0.0; architecture.parameters()],
            directions: Directions::new(directions, 0),
            projected: vec![0.0; directions.count()],
            agreement: vec![0.0; workers],
            sorted: Vec::new(),
        }
    }

    /// Computes the server's gradient anew if it is time, after so many messages, on images that `seed` draws.
    pub fn renew(&mut self, messages: u64, x: &[f32], seed: impl FnOnce() -> u64) {
        if messages >= self.due {
            self.due = messages + self.every;
            self.batch.draw(&self.data, seed(), self.batch_size);
            self.kernel.loss_and_gradient(x, &self.batch, &mut self.gradient);
        }
    }

    /// A worker has a new name, of which nothing is known.
    pub fn forget(&mut self, worker: usize) {
        self.agreement[worker] = 0.0;
    }

    /// Weight of an answer, 0 to 1.
    pub fn weigh(&mut self, worker: usize, direction_seed: u64, signs: &SignBits) -> f32 {
        self.directions.reseed(direction_seed);
        self.directions.project(&self.gradient, &mut self.projected);
        let (mut agreed, mut all) = (0.0f64, 0.0f64);
        for (s, q) in signs.iter().zip(&self.projected) {
            agreed += f64::from(s * q);
            all += f64::from(q.abs());
        }
        let c = if all > 0.0 { (agreed / all) as f32 } else { 0.0 };
        self.agreement[worker] += RATE * (c - self.agreement[worker]);
        let r = self.agreement[worker];
        let share = if r > 0.0 { r / self.quantile() } else { 0.0 };
        if share < 1.0 { share * share } else { 1.0 }
    }

    /// `Q`; there is a positive `r`.
    fn quantile(&mut self) -> f32 {
        self.sorted.clear();
        self.sorted.extend(self.agreement.iter().filter(|r| **r > 0.0));
        self.sorted.sort_unstable_by(f32::total_cmp);
        self.sorted[((self.sorted.len() - 1) as f64 * QUANTILE) as usize]
    }
}
