//! The memory that pending verifications use.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use farsign::version::Version;

/// Weak references to the versions that pending verifications need, shared between volunteers. Entries are dropped when
/// nothing refers to them.
#[derive(Debug)]
pub(super) struct VerificationCache {
    /// Limit of entries.
    capacity: usize,
    /// By their address.
    versions: HashMap<usize, Weak<Version>>,
}

impl VerificationCache {
    /// Creates a cache for entries of `parameters` values within `max_bytes`.
    pub fn new(max_bytes: usize, parameters: usize) -> Self {
        let capacity = max_bytes / (size_of::<i32>() * parameters);
        Self {
            capacity,
            versions: HashMap::new(),
        }
    }

    /// Tracks a version. Returns false, and does not track it, if it is new and the limit is reached.
    pub fn admit(&mut self, version: &Arc<Version>) -> bool {
        let address = Arc::as_ptr(version).addr();
        if self.versions.contains_key(&address) {
            return true; // a weak reference keeps the address from being reused
        }
        if !self.has_capacity() {
            return false;
        }
        self.versions.insert(address, Arc::downgrade(version));
        true
    }

    fn has_capacity(&mut self) -> bool {
        self.versions.retain(|_, entry| entry.strong_count() > 0);
        self.versions.len() < self.capacity
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use farsign::fixed_point::FixedPoint;
    use farsign::version::Grid;

    const PARAMETERS: usize = 5;

    fn version() -> Arc<Version> {
        let fixed_point = FixedPoint::new(20).unwrap();
        let grid = Grid {
            fixed_point,
            shift: 0,
        };
        Arc::new(Version::round(1, 1, &[0; PARAMETERS], grid))
    }

    fn cache(entries: usize) -> VerificationCache {
        VerificationCache::new(entries * 4 * PARAMETERS, PARAMETERS)
    }

    #[test]
    fn shared_versions_count_once() {
        let mut cache = cache(2);
        let first = version();
        let second = version();
        assert!(cache.admit(&first) && cache.admit(&Arc::clone(&first)));
        assert!(cache.admit(&second));
        assert!(!cache.admit(&version()), "a third exceeds the limit");
        assert!(cache.admit(&second), "a tracked version needs no memory");
    }

    #[test]
    fn unreferenced_entries_are_evicted() {
        let mut cache = cache(1);
        let first = version();
        assert!(cache.admit(&first) && !cache.admit(&version()));
        drop(first);
        assert!(cache.admit(&version()));
    }
}
