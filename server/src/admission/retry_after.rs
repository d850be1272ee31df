//! A scheduler that spreads the reconnects of rejected clients over time.

use std::time::{Duration, Instant};

/// Reconnects scheduled per second.
const RETRIES_PER_SECOND: u32 = 100;

/// Latest scheduled reconnect.
pub const MAX_RETRY_DELAY: Duration = Duration::from_mins(5);

/// A scheduler that gives each rejected client the next free slot.
#[derive(Debug, Default)]
pub struct RetryScheduler {
    next: Option<Instant>,
}

impl RetryScheduler {
    /// Returns the delay of the next client: at least `min`, and at most twice that while few clients wait. `unit` is
    /// a random number in `[0, 1)`.
    pub fn schedule(&mut self, now: Instant, min: Duration, unit: f64) -> Duration {
        let earliest = now + min;
        let slot = self
            .next
            .map_or(earliest, |next| next.max(earliest))
            .min(now + MAX_RETRY_DELAY.max(min));
        self.next = Some(slot + Duration::from_secs(1) / RETRIES_PER_SECOND);
        slot - now + min.mul_f64(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: Duration = Duration::from_secs(5);

    #[test]
    fn few_retries_are_jittered() {
        let mut scheduler = RetryScheduler::default();
        let now = Instant::now();
        assert_eq!(scheduler.schedule(now, MIN, 0.0), MIN);
        assert!(scheduler.schedule(now, MIN, 0.99) < Duration::from_secs(10));
        let later = now + Duration::from_mins(1);
        assert_eq!(
            scheduler.schedule(later, MIN, 0.5),
            Duration::from_millis(7500)
        );
    }

    #[test]
    fn many_retries_are_spread() {
        let mut scheduler = RetryScheduler::default();
        let now = Instant::now();
        let waits: Vec<_> = (0..10_000)
            .map(|_| scheduler.schedule(now, MIN, 0.0))
            .collect();
        let second = |n: u64| Duration::from_secs(n)..Duration::from_secs(n + 1);
        for n in 5..100 {
            assert_eq!(
                waits
                    .iter()
                    .filter(|wait| second(n).contains(*wait))
                    .count(),
                RETRIES_PER_SECOND as usize
            );
        }
    }

    #[test]
    fn retry_delay_is_bounded() {
        let mut scheduler = RetryScheduler::default();
        let now = Instant::now();
        let longest = (0..1_000_000)
            .map(|_| scheduler.schedule(now, MIN, 0.0))
            .max();
        assert_eq!(longest, Some(MAX_RETRY_DELAY));
    }
}
