//! How often honest answers are wrong, estimated from the answers alone, and how many liars that leaves room for.
//!
//! Nobody has to know what is right. Where an answer is wrong about the sign of coordinate `k` with probability `p_k`, its
//! sign times the right one is `c_k = 1 - 2 p_k` in the mean; and in a product of an even number of independent answers'
//! signs the right one cancels:
//!
//! ```text
//!   A = mean of s_k t_k          = mean of c_k^2      two answers of late
//!   B = mean of s_k t_k u_k v_k  = mean of c_k^4      four of them
//!   L = mean of s_k t_k          = mean of c_k l_k    one, and one applied to the parameters that it was computed at
//!
//!   mean of l_k ~ L sqrt(A / B)            l_k is to the applied, late answer what c_k is to one at its own parameters
//!   p  = (1 - mean of l_k) / 2
//!   f* = (1 - 2 p) / (2 - 2 p)             share of the weight that may lie, docs/algorithm.md, section 7
//! ```
//!
//! `A` alone would say `sqrt(A)`, which is more than the mean of `c_k` where coordinates differ: a few of them carry the
//! gradient, and the rest are coins. `A^(3/2) / B^(1/2)` never is more (Hoelder's inequality), and the same where all are
//! alike or coins. And an answer is applied to parameters that have moved since: `L / A` is what that costs.
//!
//! All are running means over answers of different volunteers, on a few hundred coordinates. It needs a sign for every
//! coordinate, so there is an estimate for `coordinate` directions with `K = d` in first order only; and none under
//! `vote`, where answers share minibatches and so their mistakes. With fewer than four volunteers `B` is taken to be `A^2`,
//! and where no answer is late `L` to be `A`.
//!
//! It is an estimate, never a certificate. It takes mistakes to be independent and most answers to be honest. Liars who
//! send the opposite make `p` too large, and `f*` too small; those who all send the same bits can make it look small. A
//! coordinate without information, whose signs are coins, counts as one with `p = 1/2`. `farsign lab calibrate` measures how
//! far it is off; docs/lab.md has the figures.

use std::collections::VecDeque;

use crate::direction::{DirectionFamily, DirectionSpec};
use crate::estimate::Order;
use crate::optimizer::Rule;
use crate::random::Stream;
use crate::sign::SignBits;
use crate::task::VolunteerId;

/// Coordinates that are compared, a multiple of 64: with so many the estimate settles within some dozens of answers.
const SAMPLED: usize = 512;

/// Draws the coordinates. Anybody may know them: who answers right on them only makes the estimate one of the honest.
const SAMPLE_SEED: u64 = 0x5afe_7e57_1ace_0001;

/// Accepted messages between those that are compared, at most: later the parameters are others, and so may the right
/// sign be.
const NEAR: u64 = 32;

/// Accepted messages that are kept to find one that was applied to the parameters of a later one.
const KEPT: usize = 1024;

/// Values before a mean counts.
const LEAST: u64 = 64;

/// Values that a running mean looks back over.
const WINDOW: u64 = 256;

/// What the answers of late say about themselves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Safety {
    /// Probability that an honest answer is wrong about a sign, `p`, 0 to 1/2.
    pub sign_error: f64,
    /// Share of the weight that may lie and is outvoted, `f*`, 0 to 1/2.
    pub tolerated_share: f64,
}

impl Safety {
    /// Of answers whose signs are right rather than wrong by `right` in the mean over coordinates, 0 to 1.
    fn of_right(right: f64) -> Self {
        let p = (1.0 - right) / 2.0;
        Self { sign_error: p, tolerated_share: (1.0 - 2.0 * p) / (2.0 - 2.0 * p) }
    }
}

/// Signs of the sampled coordinates: a bit that is set for a minus.
type Sample = [u64; SAMPLED / 64];

/// An answer of late.
#[derive(Clone, Copy, Debug)]
struct Heard {
    volunteer: VolunteerId,
    message: u64,
    sample: Sample,
}

/// A mean in which what is old counts less.
#[derive(Clone, Copy, Debug, Default)]
struct RunningMean {
    value: f64,
    count: u64,
}

impl RunningMean {
    fn take(&mut self, value: f64) {
        self.count += 1;
        self.value += (value - self.value) / self.count.min(WINDOW) as f64;
    }

    /// The mean once it counts.
    fn settled(self) -> Option<f64> {
        (self.count >= LEAST).then_some(self.value)
    }
}

/// How often answers agree.
#[derive(Clone, Debug)]
pub struct Agreement {
    /// Coordinates that are compared; none where answers cannot be.
    coordinates: Vec<u32>,
    /// The newest answers of four volunteers, the newest first.
    latest: Vec<Heard>,
    /// The newest answers, the oldest first.
    applied: VecDeque<Heard>,
    /// `A`, `B` and `L`.
    pairs: RunningMean,
    fours: RunningMean,
    late: RunningMean,
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
        Self {
            coordinates,
            latest: Vec::with_capacity(5),
            applied: VecDeque::new(),
            pairs: RunningMean::default(),
            fours: RunningMean::default(),
            late: RunningMean::default(),
        }
    }

    /// Takes in an answer that the optimizer has applied, so that it has a sign for each direction; with the number it got
    /// there, and the accepted messages in the parameters that it was computed at. Gives the share of the compared signs
    /// that are those of the newest answer by somebody else, 0 to 1, where there is one of late.
    pub fn hear(
        &mut self,
        volunteer: VolunteerId,
        message: u64,
        computed_at: u64,
        signs: &SignBits,
    ) -> Option<f64> {
        if self.coordinates.is_empty() {
            return None;
        }
        let heard = Heard { volunteer, message, sample: self.sample(signs) };
        self.compare_late(&heard, computed_at);
        self.latest.retain(|other| other.volunteer != volunteer && message - other.message <= NEAR);
        self.latest.insert(0, heard);
        self.latest.truncate(4);
        if self.applied.len() == KEPT {
            self.applied.pop_front();
        }
        self.applied.push_back(heard);
        if let [a, b, c, d] = self.latest[..] {
            self.fours.take(self.agreement(&[a.sample, b.sample, c.sample, d.sample]));
        }
        let [a, b, ..] = self.latest[..] else { return None };
        let agreement = self.agreement(&[a.sample, b.sample]);
        self.pairs.take(agreement);
        Some(f64::midpoint(1.0, agreement))
    }

    /// Compares an answer with the one that was applied to the parameters that it was computed at.
    fn compare_late(&mut self, heard: &Heard, computed_at: u64) {
        let oldest = self.applied.front().map_or(heard.message, |oldest| oldest.message);
        let applied = (computed_at + 1).checked_sub(oldest).and_then(|at| self.applied.get(at as usize));
        if let Some(applied) = applied
            && applied.volunteer != heard.volunteer
        {
            self.late.take(self.agreement(&[heard.sample, applied.sample]));
        }
    }

    /// What the answers say by now; none before there are enough, or where there are never any.
    pub fn safety(&self) -> Option<Safety> {
        let a = self.pairs.settled()?.clamp(0.0, 1.0);
        if a == 0.0 {
            return Some(Safety::of_right(0.0));
        }
        // The mean of a square is no less than the square of the mean, and who is late does not know more.
        let b = self.fours.settled().unwrap_or(a * a).clamp(a * a, a);
        let l = self.late.settled().unwrap_or(a).clamp(0.0, a);
        Some(Safety::of_right(l * (a / b).sqrt()))
    }

    fn sample(&self, signs: &SignBits) -> Sample {
        let (bytes, mut sample) = (signs.as_bytes(), Sample::default());
        for (n, &coordinate) in self.coordinates.iter().enumerate() {
            let byte = bytes[coordinate as usize / 8];
            sample[n / 64] |= u64::from(byte >> (coordinate % 8) & 1) << (n % 64);
        }
        sample
    }

    /// Mean of the product of the signs, -1 to 1.
    fn agreement(&self, samples: &[Sample]) -> f64 {
        let word = |n: usize| samples.iter().fold(0, |product, sample| product ^ sample[n]).count_ones();
        let minus: u32 = (0..SAMPLED / 64).map(word).sum();
        1.0 - 2.0 * f64::from(minus) / self.coordinates.len() as f64
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
            agreement.hear(VolunteerId(volunteer), self.heard, self.heard - 1, &signs);
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
        voters.answer_all(&mut agreement, 2000, &[0.4; 5]);
        let safety = agreement.safety().unwrap();
        assert!((safety.sign_error - 0.4).abs() < 0.03, "{safety:?}");
    }

    #[test]
    fn a_few_coordinates_that_are_clear_do_not_hide_the_others() {
        for (seed, (clear, share)) in [(0.1, 0.5), (0.0, 0.2), (0.2, 0.7)].into_iter().enumerate() {
            let (mut agreement, mut voters) = (coordinate(D), Voters::new(D, seed as u64));
            for _ in 0..1500 {
                let volunteer = voters.stream.below(6);
                let mut signs = SignBits::default();
                let vote = |(k, right): (usize, &f32)| {
                    let error = if (k as f32) < share * D as f32 { clear } else { 0.5 };
                    if voters.stream.unit() < error { -right } else { *right }
                };
                let votes: Vec<f32> = voters.right.iter().enumerate().map(vote).collect();
                signs.set_from(&votes, 0);
                voters.heard += 1;
                agreement.hear(VolunteerId(volunteer), voters.heard, voters.heard - 1, &signs);
            }
            let error = f64::from(share * clear + (1.0 - share) * 0.5);
            let safety = agreement.safety().unwrap();
            assert!((safety.sign_error - error).abs() < 0.03, "seed {seed}: {safety:?} for {error}");
        }
    }

    /// What is right changes at a hundredth of the coordinates with each message, and answers are thirty messages late.
    #[test]
    fn answers_that_are_late_are_wrong_more_often_than_they_differ() {
        const LATE: u64 = 30;
        let (mut agreement, mut stream) = (coordinate(D), Stream::new(7));
        let mut right = vec![1.0_f32; D];
        let mut past = VecDeque::from([right.clone()]);
        let (mut wrong, mut signs) = (0, SignBits::default());
        for message in 1..=2000_u64 {
            let seen = past.front().expect("one is kept").clone();
            let vote = |right: &f32| if stream.unit() < 0.1 { -right } else { *right };
            let votes: Vec<f32> = seen.iter().map(vote).collect();
            signs.set_from(&votes, 0);
            if message > 1000 {
                wrong += votes.iter().zip(&right).filter(|(vote, right)| vote != right).count();
            }
            agreement.hear(VolunteerId(message % 31), message, (message - 1).saturating_sub(LATE), &signs);
            (0..D / 100).for_each(|_| {
                let changed = stream.below(D as u64) as usize;
                right[changed] = if stream.unit() < 0.5 { -1.0 } else { 1.0 };
            });
            past.push_back(right.clone());
            if past.len() as u64 > LATE + 1 {
                past.pop_front();
            }
        }
        let error = wrong as f64 / (1000 * D) as f64;
        assert!(error > 0.18, "the test is about answers that are late: {error}");
        let safety = agreement.safety().unwrap();
        assert!((safety.sign_error - error).abs() < 0.03, "seed 7: {safety:?} for {error}");
    }

    #[test]
    fn coins_leave_hardly_any_room() {
        let (mut agreement, mut voters) = (coordinate(D), Voters::new(D, 2));
        voters.answer_all(&mut agreement, 1000, &[0.5; 5]);
        let safety = agreement.safety().unwrap();
        assert!(safety.sign_error > 0.44 && safety.tolerated_share < 0.11, "{safety:?}");
        assert_eq!(Safety::of_right(0.0), Safety { sign_error: 0.5, tolerated_share: 0.0 });
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
        assert_eq!(agreement.pairs.count, NEAR);
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
