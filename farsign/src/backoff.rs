//! The delay before a volunteer reconnects.

/// First delay, in milliseconds.
const INITIAL_MS: u32 = 500;

/// Largest delay, in milliseconds.
const MAX_MS: u32 = 30_000;

/// Exponential backoff with jitter over the upper half of each delay, which spreads the reconnects after a restart.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Resets the delay after a successful connection.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Returns the delay after a further failure, in milliseconds. `unit` is a random value in `[0, 1)`.
    pub fn next_ms(&mut self, unit: f64) -> u32 {
        let ceiling = INITIAL_MS
            .saturating_mul(1 << self.failures.min(10))
            .min(MAX_MS);
        self.failures = self.failures.saturating_add(1);
        ceiling / 2 + (f64::from(ceiling / 2) * unit) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delay_doubles_up_to_limit() {
        let mut backoff = Backoff::default();
        let longest: Vec<u32> = (0..9).map(|_| backoff.next_ms(0.999_999)).collect();
        assert_eq!(
            longest,
            [499, 999, 1999, 3999, 7999, 15_999, 29_999, 29_999, 29_999]
        );
        backoff.succeeded();
        assert_eq!(backoff.next_ms(0.0), 250);
    }
}
