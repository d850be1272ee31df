//! A cache of one value with a time to live.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// A cache of one value. Its lock is never held across an await point.
#[derive(Debug)]
pub struct TtlCache<T> {
    ttl: Duration,
    /// The value, and the time at which it was inserted.
    entry: Mutex<Option<(Instant, T)>>,
}

impl<T: Clone> TtlCache<T> {
    /// Creates an empty cache.
    pub const fn new(ttl: Duration) -> Self {
        Self {
            ttl,
            entry: Mutex::new(None),
        }
    }

    /// Returns the cached value, or `None` if it has expired.
    pub fn get(&self, now: Instant) -> Option<T> {
        self.if_fresh(self.entry.lock().as_ref(), now)
    }

    /// Returns the cached value, computing it if expired. Concurrent callers wait, so it is computed once.
    pub fn get_or_insert_with(&self, now: Instant, compute: impl FnOnce() -> T) -> T {
        let mut entry = self.entry.lock();
        self.if_fresh(entry.as_ref(), now)
            .unwrap_or_else(|| entry.insert((now, compute())).1.clone())
    }

    /// Replaces the value.
    pub fn insert(&self, now: Instant, value: T) {
        *self.entry.lock() = Some((now, value));
    }

    /// Removes the value.
    pub fn invalidate(&self) {
        *self.entry.lock() = None;
    }

    fn if_fresh(&self, entry: Option<&(Instant, T)>, now: Instant) -> Option<T> {
        let (since, value) = entry?;
        (now.saturating_duration_since(*since) < self.ttl).then(|| value.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_expires_after_ttl() {
        let cache = TtlCache::new(Duration::from_secs(2));
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        assert_eq!(cache.get(start), None);
        for (ms, computed, expected) in [
            (0, 1, 1),
            (1999, 2, 1),
            (2000, 3, 3),
            (3999, 4, 3),
            (4000, 5, 5),
        ] {
            assert_eq!(
                cache.get_or_insert_with(at(ms), || computed),
                expected,
                "{ms} ms"
            );
            assert_eq!(cache.get(at(ms)), Some(expected), "{ms} ms");
        }
        cache.invalidate();
        assert_eq!(cache.get(at(4000)), None);
        cache.insert(at(4000), 6);
        assert_eq!((cache.get(at(5999)), cache.get(at(6000))), (Some(6), None));
    }
}
