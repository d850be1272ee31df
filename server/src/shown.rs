//! Answers that stay the same for a while, so that it costs little however often they are asked for.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What everybody is shown at the moment. Its lock is not held across a wait.
#[derive(Debug)]
pub struct Shown<T> {
    lasts: Duration,
    /// Since when, and what.
    now: Mutex<Option<(Instant, T)>>,
}

impl<T: Clone> Shown<T> {
    /// Nothing yet; what will be shown stays for so long.
    pub const fn new(lasts: Duration) -> Self {
        Self { lasts, now: Mutex::new(None) }
    }

    /// What is shown at this moment; none when it is time for something new.
    pub fn at(&self, now: Instant) -> Option<T> {
        self.fresh(self.lock().as_ref(), now)
    }

    /// What is shown at this moment, made if it is time for something new. Those who ask meanwhile wait for it, so it
    /// is made once.
    pub fn at_or(&self, now: Instant, make: impl FnOnce() -> T) -> T {
        let mut shown = self.lock();
        self.fresh(shown.as_ref(), now).unwrap_or_else(|| shown.insert((now, make())).1.clone())
    }

    /// Shows this from now on.
    pub fn show(&self, now: Instant, it: T) {
        *self.lock() = Some((now, it));
    }

    /// Whoever asks next is shown something new.
    pub fn forget(&self) {
        *self.lock() = None;
    }

    fn fresh(&self, shown: Option<&(Instant, T)>, now: Instant) -> Option<T> {
        let (since, it) = shown?;
        (now.saturating_duration_since(*since) < self.lasts).then(|| it.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Instant, T)>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_shown_the_same_until_it_is_time_for_something_new() {
        let (shown, start) = (Shown::new(Duration::from_secs(2)), Instant::now());
        let at = |ms: u64| start + Duration::from_millis(ms);
        assert_eq!(shown.at(start), None);
        for (ms, made, expected) in [(0, 1, 1), (1999, 2, 1), (2000, 3, 3), (3999, 4, 3), (4000, 5, 5)] {
            assert_eq!(shown.at_or(at(ms), || made), expected, "{ms} ms");
            assert_eq!(shown.at(at(ms)), Some(expected), "{ms} ms");
        }
        shown.forget();
        assert_eq!(shown.at(at(4000)), None);
        shown.show(at(4000), 6);
        assert_eq!((shown.at(at(5999)), shown.at(at(6000))), (Some(6), None));
    }
}
