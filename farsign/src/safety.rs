//! How often honest answers are wrong, estimated from the answers alone, and how many liars that leaves room for.
//!
//! Two answers that are wrong about a sign with probability `p` each, independently, agree with probability `q`, whatever
//! the right sign is. So how often they agree tells `p`, and nobody has to know what is right:
//!
//! ```text
//!   q  = p^2 + (1 - p)^2         p = (1 - sqrt(2 q - 1)) / 2      for q > 1/2; else answers say nothing, p = 1/2
//!   f* = (1 - 2 p) / (2 - 2 p)   share of the weight that may lie, docs/algorithm.md, section 7
//!
//!   q  <- q + max(1/128, 1/(1+j)) (agreement of a pair - q)       j pairs before it
//! ```
//!
//! A pair is an answer and the newest one before it by somebody else, compared on a few hundred coordinates. It needs a
//! sign for every coordinate, so there is an estimate for `coordinate` directions with `K = d` in first order only; and
//! none under `vote`, where answers share minibatches and so their mistakes.
//!
//! It is an estimate, never a certificate. It takes mistakes to be independent and most answers to be honest. Liars who
//! send the opposite make `p` too large, and `f*` too small; those who all send the same bits can make it look small. The
//! `p` of different coordinates is averaged as `(1 - 2 p)^2`, so where they differ much the mean `p` is above the
//! estimate. A coordinate without information, whose signs are coins, counts as one with `p = 1/2`. Mistakes are not
//! independent where workers lag behind a fast model: they are wrong together and agree about it, so that `p` is too small
//! and `f*` too large. `farsign lab calibrate` measures by how much; docs/lab.md has the figures.

use crate::direction::{DirectionFamily, DirectionSpec};
use crate::estimate::Order;
use crate::optimizer::Rule;
use crate::random::Stream;
use crate::sign::SignBits;
use crate::task::VolunteerId;

/// Coordinates that are compared, a multiple of 64: with so many the estimate settles within some dozens of pairs.
const SAMPLED: usize = 256;

/// Draws the coordinates. Anybody may know them: who answers right on them only makes the estimate one of the honest.
const SAMPLE_SEED: u64 = 0x5afe_7e57_1ace_0001;

/// Accepted messages between the two of a pair, at most: later the parameters are others, and so may the right sign be.
const NEAR: u64 = 32;

/// Pairs before there is an estimate.
const LEAST_PAIRS: u64 = 64;

/// Pairs that the running mean looks back over.
const WINDOW: u64 = 128;

/// What the answers of late say about themselves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Safety {
    /// Probability that an honest answer is wrong about a sign, `p`, 0 to 1/2.
    pub sign_error: f64,
    /// Share of the weight that may lie and is outvoted, `f*`, 0 to 1/2.
    pub tolerated_share: f64,
}

impl Safety {
    /// Of answers of which two agree with probability `q`.
    fn of_agreement(q: f64) -> Self {
        let p = if q > 0.5 { (1.0 - (2.0 * q - 1.0).sqrt()) / 2.0 } else { 0.5 };
        Self { sign_error: p, tolerated_share: (1.0 - 2.0 * p) / (2.0 - 2.0 * p) }
    }
}

/// Signs of the sampled coordinates.
type Sample = [u64; SAMPLED / 64];

/// An answer of late.
#[derive(Clone, Copy, Debug)]
struct Heard {
    volunteer: VolunteerId,
    message: u64,
    sample: Sample,
}

/// How often answers agree.
#[derive(Clone, Debug)]
pub struct Agreement {
    /// Coordinates that are compared; none where answers cannot be.
    coordinates: Vec<u32>,
    /// The newest answer, and the newest by somebody else.
    latest: [Option<Heard>; 2],
    q: f64,
    pairs: u64,
}

impl Agreement {
    /// For a run's directions, order and rule.
    pub fn new(directions: DirectionSpec, order: Order, rule: Rule) -> Self {
        let d = directions.parameters();
        let comparable = directions.family() == DirectionFamily::Coordinate
            && directions.count() == d
            && order == Order::First
            && rule == Rule::Plain;
        let mut stream = Stream::new(SAMPLE_SEED);
        let coordinates = match () {
            () if !comparable => Vec::new(),
            () if d <= SAMPLED => (0..d as u32).collect(),
            () => (0..SAMPLED).map(|_| stream.below(d as u64) as u32).collect(),
        };
        Self { coordinates, latest: [None, None], q: 0.0, pairs: 0 }
    }

    /// Takes in an answer that the optimizer has applied, so that it has a sign for each direction; with the number it got
    /// there. Gives the share of the compared signs that agree, 0 to 1, where there is somebody to compare with.
    pub fn hear(&mut self, volunteer: VolunteerId, message: u64, signs: &SignBits) -> Option<f64> {
        if self.coordinates.is_empty() {
            return None;
        }
        let heard = Heard { volunteer, message, sample: self.sample(signs) };
        let other = self.latest.iter().flatten().find(|other| other.volunteer != volunteer).copied();
        let near = other.filter(|other| message.saturating_sub(other.message) <= NEAR);
        self.latest = [Some(heard), other];
        near.map(|near| self.compare(&heard.sample, &near.sample))
    }

    /// What the agreement says by now; none before there are enough pairs, or where there are never any.
    pub fn safety(&self) -> Option<Safety> {
        (self.pairs >= LEAST_PAIRS).then(|| Safety::of_agreement(self.q))
    }

    fn sample(&self, signs: &SignBits) -> Sample {
        let (bytes, mut sample) = (signs.as_bytes(), Sample::default());
        for (n, &coordinate) in self.coordinates.iter().enumerate() {
            let byte = bytes[coordinate as usize / 8];
            sample[n / 64] |= u64::from(byte >> (coordinate % 8) & 1) << (n % 64);
        }
        sample
    }

    fn compare(&mut self, a: &Sample, b: &Sample) -> f64 {
        let differ: u32 = a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones()).sum();
        let agreement = 1.0 - f64::from(differ) / self.coordinates.len() as f64;
        self.pairs += 1;
        self.q += (agreement - self.q) / self.pairs.min(WINDOW) as f64;
        agreement
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const D: usize = 1000;

    fn coordinate(d: usize) -> Agreement {
        let directions = DirectionSpec::new(DirectionFamily::Coordinate, d, d).unwrap();
        Agreement::new(directions, Order::First, Rule::Plain)
    }

    /// Voters who are wrong about every sign with their own probability, and answer in any order.
    struct Voters {
        stream: Stream,
        right: Vec<f32>,
        heard: u64,
    }

    impl Voters {
        fn new(d: usize, seed: u64) -> Self {
            let mut stream = Stream::new(seed);
            let right = (0..d).map(|_| stream.unit() - 0.5).collect();
            Self { stream, right, heard: 0 }
        }

        fn answer(&mut self, agreement: &mut Agreement, volunteer: u64, error: f32) {
            let wrong = |right: &f32| if self.stream.unit() < error { -right } else { *right };
            let votes: Vec<f32> = self.right.iter().map(wrong).collect();
            let mut signs = SignBits::default();
            signs.set_from(&votes, 0);
            self.heard += 1;
            agreement.hear(VolunteerId(volunteer), self.heard, &signs);
        }

        fn answer_all(&mut self, agreement: &mut Agreement, answers: usize, errors: &[f32]) {
            for _ in 0..answers {
                let volunteer = self.stream.below(errors.len() as u64);
                self.answer(agreement, volunteer, errors[volunteer as usize]);
            }
        }
    }

    #[test]
    fn the_error_of_voters_is_found_and_the_share_that_it_leaves() {
        for (seed, (error, tolerated)) in
            [(0.0, 0.5), (0.1, 0.444), (0.2, 0.375), (0.3, 0.286), (0.4, 0.167)].into_iter().enumerate()
        {
            for d in [100, D] {
                let (mut agreement, mut voters) = (coordinate(d), Voters::new(d, seed as u64));
                voters.answer_all(&mut agreement, 500, &[error; 5]);
                let safety = agreement.safety().expect("there are enough pairs");
                let off = (safety.sign_error - f64::from(error)).abs();
                assert!(off < 0.03, "seed {seed}, d {d}: {safety:?} for {error}");
                assert!((safety.tolerated_share - tolerated).abs() < 0.05, "seed {seed}, d {d}: {safety:?}");
            }
        }
    }

    #[test]
    fn it_follows_answers_that_get_worse() {
        let (mut agreement, mut voters) = (coordinate(D), Voters::new(D, 1));
        voters.answer_all(&mut agreement, 2000, &[0.1; 5]);
        voters.answer_all(&mut agreement, 1000, &[0.4; 5]);
        let safety = agreement.safety().unwrap();
        assert!((safety.sign_error - 0.4).abs() < 0.03, "{safety:?}");
    }

    #[test]
    fn coins_leave_hardly_any_room() {
        let (mut agreement, mut voters) = (coordinate(D), Voters::new(D, 2));
        voters.answer_all(&mut agreement, 1000, &[0.5; 5]);
        let safety = agreement.safety().unwrap();
        assert!(safety.sign_error > 0.44 && safety.tolerated_share < 0.11, "{safety:?}");
        assert_eq!(Safety::of_agreement(0.4), Safety { sign_error: 0.5, tolerated_share: 0.0 });
    }

    #[test]
    fn liars_who_send_the_opposite_make_it_more_careful() {
        let (mut honest, mut mixed) = (coordinate(D), coordinate(D));
        Voters::new(D, 3).answer_all(&mut honest, 1000, &[0.1; 5]);
        Voters::new(D, 3).answer_all(&mut mixed, 1000, &[0.1, 0.1, 0.1, 0.1, 0.9]);
        let (honest, mixed) = (honest.safety().unwrap(), mixed.safety().unwrap());
        assert!(mixed.tolerated_share < honest.tolerated_share - 0.05, "{honest:?} and {mixed:?}");
    }

    #[test]
    fn nobody_is_compared_with_himself_or_with_what_was_long_ago() {
        let (mut agreement, mut voters) = (coordinate(D), Voters::new(D, 4));
        voters.answer(&mut agreement, 1, 0.1);
        (0..1000).for_each(|_| voters.answer(&mut agreement, 2, 0.1));
        assert_eq!(agreement.pairs, NEAR);
        assert_eq!(agreement.safety(), None);
    }

    #[test]
    fn where_answers_cannot_be_compared_it_says_nothing() {
        let hadamard = DirectionFamily::Hadamard { block: 8 };
        let vote = Rule::Vote { gamma: 0.1, direction_seed: 1 };
        let runs = [
            (DirectionFamily::Coordinate, D - 1, Order::First, Rule::Plain),
            (hadamard, D, Order::First, Rule::Plain),
            (DirectionFamily::Coordinate, D, Order::Zeroth { delta: 0.1 }, Rule::Plain),
            (DirectionFamily::Coordinate, D, Order::First, vote),
        ];
        for (family, count, order, rule) in runs {
            let mut agreement = Agreement::new(DirectionSpec::new(family, count, D).unwrap(), order, rule);
            Voters::new(count, 5).answer_all(&mut agreement, 500, &[0.1; 5]);
            assert_eq!(agreement.safety(), None, "{family:?}, {count} of {D}, {order:?}, {rule:?}");
        }
    }
}
