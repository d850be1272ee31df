//! Chance, from one stream: what the simulated world draws.

use farsign::random::Stream;

/// Draws of one part of the world. Parts have streams of their own, so that what one of them draws does not change
/// the others.
#[derive(Clone, Debug)]
pub struct Chance(Stream);

impl Chance {
    /// The draws of a part of the world that this `seed` and the name of the part determine.
    pub fn new(seed: u64, part: Part, index: usize) -> Self {
        let mut mixed = Stream::new(seed);
        let run = mixed.bits();
        let mut of_part = Stream::new(run ^ ((part as u64) << 32) ^ index as u64);
        Self(Stream::new(of_part.bits()))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.bits()
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0.below(bound as u64) as usize
    }

    /// Uniform in `(0, 1]`.
    pub fn unit(&mut self) -> f64 {
        ((self.0.bits() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// True with this probability.
    pub fn happens(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.unit() <= probability
    }

    /// Normal with mean 0 and variance 1 (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * libm::log(self.unit())).sqrt();
        radius * libm::cos(2.0 * std::f64::consts::PI * self.unit())
    }

    /// Lognormal with median 1; `spread` is the standard deviation of its logarithm.
    pub fn lognormal(&mut self, spread: f64) -> f64 {
        libm::exp(spread * self.normal())
    }

    /// Exponential with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -libm::log(self.unit())
    }

    /// Gamma with this `shape` above 0 and scale 1 (Marsaglia and Tsang 2000).
    pub fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let boost = libm::pow(self.unit(), 1.0 / shape);
            return boost * self.gamma(shape + 1.0);
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x) * (1.0 + c * x) * (1.0 + c * x);
            if v > 0.0 && libm::log(self.unit()) < 0.5 * x * x + d - d * v + d * libm::log(v) {
                return d * v;
            }
        }
    }

    /// Puts a list in random order (Fisher-Yates).
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for i in (1..list.len()).rev() {
            list.swap(i, self.below(i + 1));
        }
    }
}

/// Parts of the world that draw for themselves.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// Who is fast, who is slow, who lies.
    Fleet,
    /// How long one worker takes, and when it is away.
    Pace,
    /// What becomes of one worker's messages.
    Network,
    /// What one liar draws.
    Liar,
    /// What the server draws: minibatches, directions, coins, checks.
    Host,
    /// Where training starts.
    Parameters,
    /// Whose data is whose.
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
    fn distributions_have_their_moments() {
        let mut chance = Chance::new(7, Part::Fleet, 0);
        let near = |found: (f64, f64), mean: f64, variance: f64| {
            assert!((found.0 - mean).abs() < 0.05 * (1.0 + mean), "seed 7: mean {} for {mean}", found.0);
            assert!(
                (found.1 - variance).abs() < 0.1 * (1.0 + variance),
                "seed 7: {} for {variance}",
                found.1
            );
        };
        near(moments(|| chance.unit()), 0.5, 1.0 / 12.0);
        near(moments(|| chance.normal()), 0.0, 1.0);
        near(moments(|| libm::log(chance.lognormal(0.5))), 0.0, 0.25);
        near(moments(|| chance.exponential()), 1.0, 1.0);
        near(moments(|| chance.gamma(0.3)), 0.3, 0.3);
        near(moments(|| chance.gamma(4.0)), 4.0, 4.0);
    }

    #[test]
    fn parts_of_the_world_do_not_repeat_each_other() {
        let first = |part, index| Chance::new(1, part, index).bits();
        let firsts =
            [first(Part::Fleet, 0), first(Part::Pace, 0), first(Part::Pace, 1), first(Part::Network, 1)];
        let distinct: std::collections::BTreeSet<u64> = firsts.into_iter().collect();
        assert_eq!(distinct.len(), firsts.len());
        assert_ne!(Chance::new(1, Part::Fleet, 0).bits(), Chance::new(2, Part::Fleet, 0).bits());
    }
}
