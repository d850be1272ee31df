//! How a volunteer has worked of late: for the host to see. Nothing that the run does depends on it.

use std::time::Instant;

/// Seconds after which an answer counts half.
const HALF_LIFE_S: f64 = 30.0;

/// Part of a running mean that a new value is.
const FRESH: f64 = 1.0 / 16.0;

/// A sum in which what is old counts less.
#[derive(Clone, Copy, Debug)]
pub struct Lately {
    since: Instant,
    at: Instant,
    sum: f64,
}

impl Lately {
    /// Nothing yet.
    pub fn new(now: Instant) -> Self {
        Self { since: now, at: now, sum: 0.0 }
    }

    /// Adds an amount.
    pub fn add(&mut self, now: Instant, amount: f64) {
        (self.sum, self.at) = (self.sum(now) + amount, now);
    }

    /// What is left of it by now.
    pub fn sum(&self, now: Instant) -> f64 {
        self.sum * left_after(self.at, now)
    }

    /// Amount per second, as if what came before the beginning had come as fast.
    pub fn per_second(&self, now: Instant) -> f64 {
        let seen = 1.0 - left_after(self.since, now);
        if seen > 0.0 { self.sum(now) * std::f64::consts::LN_2 / HALF_LIFE_S / seen } else { 0.0 }
    }
}

fn left_after(then: Instant, now: Instant) -> f64 {
    (-now.saturating_duration_since(then).as_secs_f64() / HALF_LIFE_S).exp2()
}

/// A mean in which what is old counts less; none before the first value.
#[derive(Clone, Copy, Debug, Default)]
struct RunningMean(Option<f64>);

impl RunningMean {
    fn take(&mut self, value: f64) {
        self.0 = Some(self.0.map_or(value, |mean| mean + FRESH * (value - mean)));
    }
}

/// An answer that was accepted.
#[derive(Clone, Copy, Debug)]
pub struct Heard {
    /// Its number among accepted answers.
    pub message: u64,
    /// What it weighed.
    pub weight: f32,
    /// Share of its signs that are those of another volunteer's answer at the same time, 0 to 1, where that is known.
    pub agreement: Option<f64>,
}

/// What is known of a volunteer's answers.
#[derive(Clone, Copy, Debug)]
pub struct Conduct {
    /// Answers.
    answers: Lately,
    /// What they weighed.
    weight: Lately,
    staleness: RunningMean,
    agreement: RunningMean,
    last: Instant,
    /// Accepted answers in the model that its open task is for.
    issued_at: u64,
}

impl Conduct {
    /// Of somebody who has just joined.
    pub fn new(now: Instant) -> Self {
        Self {
            answers: Lately::new(now),
            weight: Lately::new(now),
            staleness: RunningMean::default(),
            agreement: RunningMean::default(),
            last: now,
            issued_at: 0,
        }
    }

    /// It has a task, for a model that so many accepted answers are in.
    pub fn issued(&mut self, accepted: u64) {
        self.issued_at = accepted;
    }

    /// Accepted answers in the model that its task is for.
    pub fn issued_at(&self) -> u64 {
        self.issued_at
    }

    /// It has answered.
    pub fn answered(&mut self, now: Instant, heard: Heard) {
        let Heard { message, weight, agreement } = heard;
        self.answers.add(now, 1.0);
        self.weight.add(now, f64::from(weight));
        self.staleness.take(message.saturating_sub(self.issued_at + 1) as f64);
        if let Some(agreement) = agreement {
            self.agreement.take(agreement);
        }
        self.last = now;
    }

    /// Accepted answers per second.
    pub fn accepted_per_s(&self, now: Instant) -> f64 {
        self.answers.per_second(now)
    }

    /// What its answers weighed.
    pub fn weight(&self, now: Instant) -> f64 {
        self.weight.sum(now)
    }

    /// Mean of the answers of others that were accepted between the model of a task and its answer; none before the
    /// first answer.
    pub fn staleness(&self) -> Option<f64> {
        self.staleness.0
    }

    /// Mean share of signs that are those of another volunteer, 0 to 1; none where answers cannot be compared.
    pub fn agreement(&self) -> Option<f64> {
        self.agreement.0
    }

    /// Seconds since its last accepted answer, or since it joined.
    pub fn silent_s(&self, now: Instant) -> f64 {
        now.saturating_duration_since(self.last).as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn after(start: Instant, seconds: f64) -> Instant {
        start + Duration::from_secs_f64(seconds)
    }

    #[test]
    fn a_steady_rate_is_told_from_the_first_seconds_on_and_a_new_one_followed() {
        let start = Instant::now();
        let mut answers = Lately::new(start);
        for tenth in 1..=6000 {
            let now = after(start, f64::from(tenth) / 10.0);
            answers.add(now, if tenth <= 3000 { 1.0 } else { 0.2 });
            if tenth > 30 && tenth <= 3000 {
                let found = answers.per_second(now);
                assert!((found - 10.0).abs() < 0.5, "{found} answers a second after {tenth} tenths");
            }
        }
        let found = answers.per_second(after(start, 600.0));
        assert!((found - 2.0).abs() < 0.1, "{found} answers a second at the end");
        assert!(answers.per_second(after(start, 900.0)) < 0.01, "nobody answers any more");
        assert_eq!(Lately::new(start).per_second(start), 0.0);
    }

    #[test]
    fn staleness_counts_the_answers_of_others_in_between() {
        let start = Instant::now();
        let mut conduct = Conduct::new(start);
        assert_eq!((conduct.staleness(), conduct.agreement()), (None, None));
        let heard = |message| Heard { message, weight: 1.0, agreement: Some(0.75) };
        conduct.issued(10);
        conduct.answered(after(start, 1.0), heard(11)); // nobody else's came
        assert_eq!(conduct.staleness(), Some(0.0));
        for _ in 0..100 {
            conduct.issued(20);
            conduct.answered(after(start, 2.0), heard(25));
        }
        assert!((conduct.staleness().unwrap() - 4.0).abs() < 0.1, "{:?}", conduct.staleness());
        assert_eq!(conduct.agreement(), Some(0.75));
        assert_eq!(conduct.silent_s(after(start, 5.0)), 3.0);
    }
}
