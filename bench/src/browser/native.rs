//! The same steps in this program.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use farsign_bench_page::{BATCHES, Steps};
use serde_json::{Value, json};

/// Steps in a sample.
const STEPS: usize = 150;

/// Agreement of two gradients: relative, and absolute beside the largest derivative.
const RELATIVE: f32 = 1e-4;
const ABSOLUTE: f32 = 1e-6;

/// Our step and that of ndarray, natively.
#[derive(Debug)]
pub struct Native(Steps);

impl Native {
    /// On the built-in digits of the repository at `root`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn new(root: &Path) -> Result<Self> {
        let read = |name: &str| {
            let path = root.join("data/mnist-10k").join(name);
            fs::read(&path).with_context(|| format!("reading {}", path.display()))
        };
        let (images, labels) = (read("train-images-idx3-ubyte.gz")?, read("train-labels-idx1-ubyte.gz")?);
        Ok(Self(Steps::of(&images, &labels)?))
    }

    /// Compares ndarray's gradients with ours.
    ///
    /// # Errors
    /// When one disagrees.
    pub fn check(&mut self) -> Result<()> {
        for batch in 0..BATCHES {
            _ = self.0.sparse(batch);
            let ours = self.0.gradient();
            _ = self.0.ndarray(batch);
            let largest = ours.iter().fold(0.0f32, |most, g| most.max(g.abs()));
            let pairs = ours.iter().zip(self.0.last_gradient());
            let wrong =
                pairs.filter(|(a, b)| (*a - *b).abs() > RELATIVE * a.abs() + ABSOLUTE * largest).count();
            ensure!(wrong == 0, "native ndarray disagrees in {wrong} derivatives of minibatch {batch}");
        }
        Ok(())
    }

    /// Of our gradient on each minibatch.
    pub fn fingerprints(&mut self) -> Vec<u64> {
        let of = |batch| {
            _ = self.0.sparse(batch);
            self.0.fingerprint().into()
        };
        (0..BATCHES).map(of).collect()
    }

    /// One sample of each: milliseconds a step.
    pub fn round(&mut self) -> Value {
        json!({
            "native-sparse": self.timed(|steps, index| steps.sparse(index) > 0.0),
            "native-answer": self.timed(Steps::answer),
            "native-ndarray": self.timed(|steps, index| steps.ndarray(index) > 0.0),
        })
    }

    fn timed(&mut self, step: impl Fn(&mut Steps, usize) -> bool) -> f64 {
        let started = Instant::now();
        for index in 0..STEPS {
            assert!(step(&mut self.0, index), "a step found nothing");
        }
        started.elapsed().as_secs_f64() * 1e3 / STEPS as f64
    }
}
