//! Verification of updates on a thread of its own.
//!
//! The learner picks updates in secret and queues the chain behind each. It offers these jobs to the verifier and never
//! waits for it; the verdicts come back through the log.

mod thread;

pub use thread::VerifierThread;

/// Options of verification.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VerificationOptions {
    /// Probability, in `(0, 1]`, that an update of an established volunteer is verified.
    pub probability: f64,
    /// Fraction of one core that verification may use, 0.001 to 1.
    pub cpu_fraction: f64,
    /// Memory of updates that wait for verification, in bytes.
    pub memory_bytes: usize,
}

impl VerificationOptions {
    /// Returns the memory of versions, in bytes.
    pub fn version_bytes(&self) -> usize {
        self.memory_bytes / 4 * 3
    }

    /// Returns the number of momenta that fit the rest of the memory, for `parameters` values each.
    pub fn momenta(&self, parameters: usize) -> usize {
        self.memory_bytes / 4 / (size_of::<f32>() * parameters)
    }
}
