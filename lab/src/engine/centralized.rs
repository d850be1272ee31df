//! Centralized training: one machine with as many gradients as the other methods have updates. Its accuracy is the
//! reference.
//!
//! ```text
//!   m <- m + beta_j (g - m)        g the mean gradient of `join` minibatches at the newest x
//!   x <- x - alpha_n sign(m)       (Signum: Bernstein et al. 2018, arXiv 1802.04434)
//! ```

use farsign::kernels::sparse::Kernel;
use farsign::minibatch::Minibatch;
use farsign::momentum::Momentum;
use farsign::schedule::{Decay, StepSize};

use crate::data::ExperimentData;
use crate::engine::fleet::US_PER_S;
use crate::metrics::MetricsRecorder;
use crate::rng::{RngStream, SimRng};
use crate::scenario::Centralized;

/// Parameters of a centralized run.
#[derive(Clone, Copy, Debug)]
pub struct CentralizedRun {
    /// The method.
    pub method: Centralized,
    /// Initial learning rate; it decays to 0 along a half cosine.
    pub learning_rate: f64,
    /// Images in a minibatch.
    pub batch: u32,
    /// Seed of the run.
    pub seed: u64,
    /// Time of one gradient.
    pub task_s: f64,
    /// Number of gradients.
    pub updates: u64,
}

impl CentralizedRun {
    /// Runs until all gradients are used.
    pub fn run(self, data: &ExperimentData, recorder: &mut MetricsRecorder<'_>) {
        let Self {
            method: Centralized { beta, join },
            learning_rate,
            batch,
            seed,
            task_s,
            updates,
        } = self;
        let mut x = data
            .architecture
            .initial_parameters(SimRng::new(seed, RngStream::Parameters, 0).next_u64());
        let mut rng = SimRng::new(seed, RngStream::Server, 0);
        let mut kernel = Kernel::new(&data.architecture);
        let mut minibatch = Minibatch::default();
        let mut gradient = vec![0.0; x.len()];
        let mut momentum = Momentum::default();
        let schedule = StepSize {
            initial: learning_rate,
            decay: Decay::Cosine {
                horizon: updates as f64,
            },
        };
        recorder.point(0, 0, &x);
        // One machine computes one gradient after the other.
        let clock_us = |gradients: u64| (gradients as f64 * task_s * US_PER_S) as u64;
        while recorder.received() < updates {
            let step = schedule.at(recorder.received() as f64);
            // The mean over minibatches is the mean over one minibatch of their total size.
            let joined = join.min(updates - recorder.received());
            minibatch.draw(
                &data.train,
                rng.next_u64(),
                batch as usize * joined as usize,
            );
            kernel.loss_and_gradient(&x, &minibatch, &mut gradient);
            let average = momentum.update(&gradient, beta);
            for (x, m) in x.iter_mut().zip(average) {
                *x -= if *m > 0.0 {
                    step
                } else if *m < 0.0 {
                    -step
                } else {
                    0.0
                };
            }
            (0..joined).for_each(|_| recorder.on_update(false, 0));
            recorder.point_if_due(clock_us(recorder.received()), &x);
        }
        recorder.end(clock_us(recorder.received()), &x);
    }
}
