//! A meter of a rate: accepted updates or sent bytes per second.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The rate of a counter over the last ten seconds.
#[derive(Debug, Default)]
pub struct ThroughputMeter {
    /// One sample a second: its time and the count so far.
    samples: Mutex<VecDeque<(Instant, u64)>>,
}

impl ThroughputMeter {
    /// Seconds over which the rate is measured.
    const WINDOW: usize = 10;

    /// Records a sample. The server calls it once a second.
    pub fn sample(&self, now: Instant, count: u64) {
        let mut samples = self.samples.lock();
        if samples.len() > Self::WINDOW {
            samples.pop_front();
        }
        samples.push_back((now, count));
    }

    /// Returns the counts per second; 0 before the second sample.
    pub fn rate(&self) -> f64 {
        let samples = self.samples.lock();
        let (Some(oldest), Some(newest)) = (samples.front(), samples.back()) else {
            return 0.0;
        };
        let span: Duration = newest.0 - oldest.0;
        if span.is_zero() {
            0.0
        } else {
            (newest.1 - oldest.1) as f64 / span.as_secs_f64()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_covers_last_ten_seconds() {
        let meter = ThroughputMeter::default();
        let start = Instant::now();
        assert_eq!(meter.rate(), 0.0);
        let at = |second: u64| start + Duration::from_secs(second);
        (0..=30).for_each(|second| {
            meter.sample(at(second), if second < 20 { 0 } else { (second - 20) * 7 });
        });
        assert_eq!(meter.rate(), 7.0);
    }
}
