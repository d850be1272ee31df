//! Everything random about a run, from one seed.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What is drawn once for a run, and the generator of its tasks.
///
/// The run's id and, under `vote`, its directions are public. They come from a cryptographic generator, so that they
/// do not give away the seed, and with it the tasks to come.
#[derive(Clone, Debug)]
pub struct RunSeeds {
    /// Public name of the run.
    pub run_id: u64,
    /// The run's directions under `vote`.
    pub directions: u64,
    /// The parameters to start from.
    pub parameters: u64,
    /// Draws what a volunteer must not be able to guess.
    pub tasks: ChaCha12Rng,
}

impl RunSeeds {
    /// Of the seed a host chose, or a random one.
    pub fn new(seed: u64) -> Self {
        let mut tasks = ChaCha12Rng::seed_from_u64(seed);
        Self { run_id: tasks.next_u64(), directions: tasks.next_u64(), parameters: tasks.next_u64(), tasks }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use farsign::random::Stream;

    #[test]
    fn what_is_public_is_not_an_output_of_a_generator_that_can_be_turned_back() {
        for seed in 0..100 {
            let RunSeeds { run_id, directions, mut tasks, .. } = RunSeeds::new(seed);
            // SplitMix64 gives its state away: from the id, its next outputs would be the seeds of tasks.
            let mut guess = Stream::new(seed);
            let guesses: Vec<u64> = (0..64).map(|_| guess.bits()).collect();
            assert!(!guesses.contains(&run_id) && !guesses.contains(&directions), "seed {seed}");
            assert!(!guesses.contains(&tasks.next_u64()), "seed {seed}");
        }
    }
}
