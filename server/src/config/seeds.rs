//! Seeds and keys of a run.

use farsign::keys::{Key, RunKeys};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Seeds that are drawn once for a run, from its printed seed. Volunteers may know them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunSeeds {
    /// Public id of the run.
    pub run_id: u64,
    /// Seed of the run's directions under `vote`.
    pub directions: u64,
    /// Seed of the initial parameters.
    pub parameters: u64,
}

impl RunSeeds {
    /// Draws the seeds of a run from its seed.
    pub fn new(seed: u64) -> Self {
        let mut seeds = ChaCha12Rng::seed_from_u64(seed);
        Self {
            run_id: seeds.next_u64(),
            directions: seeds.next_u64(),
            parameters: seeds.next_u64(),
        }
    }
}

/// Draws the keys of a new run from the system's randomness. They never follow from the seed, which is printed.
pub fn random_keys() -> RunKeys {
    RunKeys {
        tasks: Key::new(rand::random()),
        sampling: Key::new(rand::random()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_determines_public_values() {
        assert_eq!(RunSeeds::new(7), RunSeeds::new(7));
        let [first, second] = [7, 8].map(RunSeeds::new);
        assert_ne!(first.run_id, second.run_id);
        assert_ne!(first.parameters, second.parameters);
    }

    #[test]
    fn keys_of_runs_differ() {
        let [first, second] = [(); 2].map(|()| random_keys());
        let keys = [first.tasks, first.sampling, second.tasks, second.sampling];
        for (position, key) in keys.iter().enumerate() {
            assert!(!keys[..position].contains(key), "key {position}");
        }
    }
}
