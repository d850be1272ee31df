//! Seeds of a run.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Seeds that are drawn once for a run, and the generator of its task seeds.
///
/// The run's id and, under `vote`, its directions are public. They come from a cryptographic generator, so they do not
/// reveal the seed and the tasks to come.
#[derive(Clone, Debug)]
pub struct RunSeeds {
    /// Public id of the run.
    pub run_id: u64,
    /// Seed of the run's directions under `vote`.
    pub directions: u64,
    /// Seed of the initial parameters.
    pub parameters: u64,
    /// Generator of task seeds, which volunteers must not be able to predict.
    pub tasks: ChaCha12Rng,
}

impl RunSeeds {
    /// Draws the seeds of a run from its seed.
    pub fn new(seed: u64) -> Self {
        let mut tasks = ChaCha12Rng::seed_from_u64(seed);
        Self {
            run_id: tasks.next_u64(),
            directions: tasks.next_u64(),
            parameters: tasks.next_u64(),
            tasks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use farsign::random::Stream;

    #[test]
    fn public_values_hide_task_seeds() {
        for seed in 0..100 {
            let RunSeeds {
                run_id,
                directions,
                mut tasks,
                ..
            } = RunSeeds::new(seed);
            // SplitMix64 reveals its state: the id would reveal its next outputs, the task seeds.
            let mut guess = Stream::new(seed);
            let guesses: Vec<u64> = (0..64).map(|_| guess.bits()).collect();
            assert!(
                !guesses.contains(&run_id) && !guesses.contains(&directions),
                "seed {seed}"
            );
            assert!(!guesses.contains(&tasks.next_u64()), "seed {seed}");
        }
    }
}
