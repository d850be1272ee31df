//! The same steps, natively.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use farsign_bench_page::{BATCHES, Steps};
use serde_json::{Value, json};

/// Number of steps per sample.
const STEPS: usize = 150;

/// Relative tolerance of a gradient.
const RELATIVE: f32 = 1e-4;
/// Absolute tolerance of a gradient, relative to the largest derivative.
const ABSOLUTE: f32 = 1e-6;

/// The native steps of the product's kernel and of ndarray.
#[derive(Debug)]
pub struct Native(Steps);

impl Native {
    /// Prepares steps on the built-in digits of the repository at `root`.
    ///
    /// # Errors
    ///
    /// Returns an error if the digits cannot be read.
    pub fn new(root: &Path) -> Result<Self> {
        let read = |name: &str| {
            let path = root.join("data/mnist-10k").join(name);
            fs::read(&path).with_context(|| format!("reading {}", path.display()))
        };
        let images = read("train-images-idx3-ubyte.gz")?;
        let labels = read("train-labels-idx1-ubyte.gz")?;
        Ok(Self(Steps::of(&images, &labels)?))
    }

    /// Compares ndarray's gradients with ours.
    ///
    /// # Errors
    ///
    /// Returns an error if a gradient disagrees.
    pub fn validate(&mut self) -> Result<()> {
        for batch in 0..BATCHES {
            _ = self.0.sparse(batch);
            let ours = self.0.gradient();
            _ = self.0.ndarray(batch);
            let largest = ours.iter().fold(0.0f32, |max, g| max.max(g.abs()));
            let pairs = ours.iter().zip(self.0.last_gradient());
            let wrong = pairs
                .filter(|(a, b)| (*a - *b).abs() > RELATIVE * a.abs() + ABSOLUTE * largest)
                .count();
            ensure!(
                wrong == 0,
                "native ndarray disagrees in {wrong} derivatives of minibatch {batch}"
            );
        }
        Ok(())
    }

    /// Returns the hash of our gradient on each minibatch.
    pub fn fingerprints(&mut self) -> Vec<u64> {
        let of = |batch| {
            _ = self.0.sparse(batch);
            self.0.fingerprint().into()
        };
        (0..BATCHES).map(of).collect()
    }

    /// Takes one sample of each contender, in milliseconds per step.
    pub fn round(&mut self) -> Value {
        json!({
            "native-sparse": self.timed(|steps, index| steps.sparse(index) > 0.0),
            "native-update": self.timed(Steps::update),
            "native-ndarray": self.timed(|steps, index| steps.ndarray(index) > 0.0),
        })
    }

    fn timed(&mut self, step: impl Fn(&mut Steps, usize) -> bool) -> f64 {
        let started = Instant::now();
        for index in 0..STEPS {
            assert!(step(&mut self.0, index), "a step has no result");
        }
        started.elapsed().as_secs_f64() * 1e3 / STEPS as f64
    }
}
