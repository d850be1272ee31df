//! When those who were turned away come back: one after the other, and not all at once.

use std::time::{Duration, Instant};

/// Volunteers that are asked back in a second.
const PER_SECOND: u32 = 100;

/// Longest time to which appointments are given.
const MOST_WAIT: Duration = Duration::from_mins(5);

/// Appointments: each of those who are turned away gets the next one.
#[derive(Debug, Default)]
pub struct Returns {
    next: Option<Instant>,
}

impl Returns {
    /// How long the next one is to wait: at least `least`, and up to twice that where few wait. `unit` is a random
    /// number in `[0, 1)`.
    pub fn wait(&mut self, now: Instant, least: Duration, unit: f64) -> Duration {
        let soonest = now + least;
        let appointment = self.next.map_or(soonest, |next| next.max(soonest)).min(now + MOST_WAIT.max(least));
        self.next = Some(appointment + Duration::from_secs(1) / PER_SECOND);
        appointment - now + least.mul_f64(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: Duration = Duration::from_secs(5);

    #[test]
    fn a_few_come_back_soon_and_not_at_once() {
        let (mut returns, now) = (Returns::default(), Instant::now());
        assert_eq!(returns.wait(now, LEAST, 0.0), LEAST);
        assert!(returns.wait(now, LEAST, 0.99) < Duration::from_secs(10));
        let later = now + Duration::from_mins(1);
        assert_eq!(returns.wait(later, LEAST, 0.5), Duration::from_millis(7500));
    }

    #[test]
    fn a_storm_comes_back_spread_out() {
        let (mut returns, now) = (Returns::default(), Instant::now());
        let waits: Vec<_> = (0..10_000).map(|_| returns.wait(now, LEAST, 0.0)).collect();
        let second = |n: u64| Duration::from_secs(n)..Duration::from_secs(n + 1);
        for n in 5..100 {
            assert_eq!(waits.iter().filter(|wait| second(n).contains(wait)).count(), PER_SECOND as usize);
        }
    }

    #[test]
    fn nobody_waits_for_ever() {
        let (mut returns, now) = (Returns::default(), Instant::now());
        let longest = (0..1_000_000).map(|_| returns.wait(now, LEAST, 0.0)).max();
        assert_eq!(longest, Some(MOST_WAIT));
    }
}
