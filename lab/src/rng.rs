//! Random numbers of the simulation, from named streams.

use farsign::keys::Key;
use farsign::random::Stream;

/// A generator for one part of the simulation. Each part has its own stream, so its draws do not change the others.
#[derive(Clone, Debug)]
pub struct SimRng(Stream);

impl SimRng {
    /// Creates the generator that `seed`, `stream` and `index` determine.
    pub fn new(seed: u64, stream: RngStream, index: usize) -> Self {
        let mut mixed = Stream::new(seed);
        let run = mixed.bits();
        let mut of_stream = Stream::new(run ^ ((stream as u64) << 32) ^ index as u64);
        Self(Stream::new(of_stream.bits()))
    }

    /// Returns 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.bits()
    }

    /// Returns an integer below `bound`.
    pub fn uniform_below(&mut self, bound: usize) -> usize {
        self.0.below(bound as u64) as usize
    }

    /// Returns a number that is uniform in `(0, 1]`.
    pub fn uniform(&mut self) -> f64 {
        ((self.0.bits() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// Returns true with this probability.
    pub fn bernoulli(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.uniform() <= probability
    }

    /// Returns a normal number with mean 0 and variance 1 (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * libm::log(self.uniform())).sqrt();
        radius * libm::cos(2.0 * std::f64::consts::PI * self.uniform())
    }

    /// Returns a lognormal number with median 1; `spread` is the standard deviation of its logarithm.
    pub fn lognormal(&mut self, spread: f64) -> f64 {
        libm::exp(spread * self.normal())
    }

    /// Returns an exponential number with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -libm::log(self.uniform())
    }

    /// Returns a gamma number with `shape` above 0 and scale 1 (Marsaglia and Tsang 2000).
    pub fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let boost = libm::pow(self.uniform(), 1.0 / shape);
            return boost * self.gamma(shape + 1.0);
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x) * (1.0 + c * x) * (1.0 + c * x);
            if v > 0.0 && libm::log(self.uniform()) < 0.5 * x * x + d - d * v + d * libm::log(v) {
                return d * v;
            }
        }
    }

    /// Draws a key. It is as predictable as the generator.
    pub fn key(&mut self) -> Key {
        let words: [[u8; 8]; 4] = std::array::from_fn(|_| self.next_u64().to_le_bytes());
        Key::new(*words.as_flattened().as_array().expect("as many bytes"))
    }

    /// Puts a list in random order (Fisher-Yates).
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for i in (1..list.len()).rev() {
            list.swap(i, self.uniform_below(i + 1));
        }
    }
}

/// The streams of a run. Their order decides the draws of every run: rename variants, never reorder them.
#[derive(Clone, Copy, Debug)]
pub enum RngStream {
    /// Task times, stragglers, dropouts and the choice of attackers.
    Fleet,
    /// Task times and absences of one worker.
    Timing,
    /// Latency, loss and delay of one worker's updates.
    Network,
    /// Draws of one attacker.
    Attacker,
    /// Draws of the server: its keys and audits.
    Server,
    /// Initial parameters.
    Parameters,
    /// Partition of the data over workers.
    Shards,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(draw: impl FnMut() -> f64) -> (f64, f64) {
        let values: Vec<f64> = std::iter::repeat_with(draw).take(20_000).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let squares = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>();
        (mean, squares / values.len() as f64)
    }

    #[test]
    fn distributions_match_moments() {
        let mut rng = SimRng::new(7, RngStream::Fleet, 0);
        let near = |found: (f64, f64), mean: f64, variance: f64| {
            assert!(
                (found.0 - mean).abs() < 0.05 * (1.0 + mean),
                "seed 7: mean {} for {mean}",
                found.0
            );
            assert!(
                (found.1 - variance).abs() < 0.1 * (1.0 + variance),
                "seed 7: {} for {variance}",
                found.1
            );
        };
        near(moments(|| rng.uniform()), 0.5, 1.0 / 12.0);
        near(moments(|| rng.normal()), 0.0, 1.0);
        near(moments(|| libm::log(rng.lognormal(0.5))), 0.0, 0.25);
        near(moments(|| rng.exponential()), 1.0, 1.0);
        near(moments(|| rng.gamma(0.3)), 0.3, 0.3);
        near(moments(|| rng.gamma(4.0)), 4.0, 4.0);
    }

    #[test]
    fn streams_are_distinct() {
        let first = |stream, index| SimRng::new(1, stream, index).next_u64();
        let firsts = [
            first(RngStream::Fleet, 0),
            first(RngStream::Timing, 0),
            first(RngStream::Timing, 1),
            first(RngStream::Network, 1),
        ];
        let distinct: std::collections::BTreeSet<u64> = firsts.into_iter().collect();
        assert_eq!(distinct.len(), firsts.len());
        let other_seed = SimRng::new(2, RngStream::Fleet, 0).next_u64();
        assert_ne!(first(RngStream::Fleet, 0), other_seed);
    }
}
