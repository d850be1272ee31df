//! One machine alone, with as many gradients as the others have messages: the accuracy that volunteers are up against.
//!
//! ```text
//!   m <- m + beta_j (g - m)        g the mean gradient of `join` minibatches at the newest x
//!   x <- x - alpha_n sign(m)       (Signum: Bernstein et al. 2018, arXiv 1802.04434)
//! ```

use farsign::kernels::sparse::Kernel;
use farsign::minibatch::Minibatch;
use farsign::schedule::{Decay, StepSize};
use farsign::tracker::Tracker;

use crate::chance::{Chance, Part};
use crate::fleet::MICROSECONDS;
use crate::materials::Materials;
use crate::record::Recorder;
use crate::scenario::Control;

/// Runs it for so many gradients.
pub fn run(
    Control { beta, join }: Control,
    (rate, batch): (f64, u32),
    (materials, seed): (&Materials, u64),
    task_s: f64,
    messages: u64,
    recorder: &mut Recorder<'_>,
) {
    let mut x = materials.architecture.initial_parameters(Chance::new(seed, Part::Parameters, 0).bits());
    let mut chance = Chance::new(seed, Part::Host, 0);
    let (mut kernel, mut minibatch) = (Kernel::new(&materials.architecture), Minibatch::default());
    let (mut gradient, mut tracker) = (vec![0.0; x.len()], Tracker::default());
    let schedule = StepSize { initial: rate, decay: Decay::Cosine { horizon: messages as f64 } };
    recorder.point(0, 0, &x);
    // It works alone, one gradient after the other.
    let clock_us = |gradients: u64| (gradients as f64 * task_s * MICROSECONDS) as u64;
    while recorder.received() < messages {
        let step = schedule.at(recorder.received() as f64);
        // A mean over minibatches is the mean over one that is as large as all of them.
        let joined = join.min(messages - recorder.received());
        minibatch.draw(&materials.train, chance.bits(), batch as usize * joined as usize);
        kernel.loss_and_gradient(&x, &minibatch, &mut gradient);
        let average = tracker.update(&gradient, beta);
        for (x, m) in x.iter_mut().zip(average) {
            *x -= if *m > 0.0 {
                step
            } else if *m < 0.0 {
                -step
            } else {
                0.0
            };
        }
        (0..joined).for_each(|_| recorder.received_from(false, 0));
        recorder.point_if_due(clock_us(recorder.received()), &x);
    }
    recorder.end(clock_us(recorder.received()), &x);
}
