//! How long a volunteer waits before it connects again.

/// First wait, in milliseconds.
const FIRST_MS: u32 = 500;
/// Longest wait, in milliseconds.
const LONGEST_MS: u32 = 30_000;

/// Exponential backoff with full jitter over the upper half, so that a restarted server is not stormed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// A connection worked; the next failure waits shortly again.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Milliseconds to wait after a further failure; `unit` is a random value in `[0, 1)`.
    pub fn next_ms(&mut self, unit: f64) -> u32 {
        let ceiling = FIRST_MS.saturating_mul(1 << self.failures.min(10)).min(LONGEST_MS);
        self.failures = self.failures.saturating_add(1);
        ceiling / 2 + (f64::from(ceiling / 2) * unit) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit_and_start_over() {
        let mut backoff = Backoff::default();
        let longest: Vec<u32> = (0..9).map(|_| backoff.next_ms(0.999_999)).collect();
        assert_eq!(longest, [499, 999, 1999, 3999, 7999, 15_999, 29_999, 29_999, 29_999]);
        backoff.succeeded();
        assert_eq!(backoff.next_ms(0.0), 250);
    }
}
