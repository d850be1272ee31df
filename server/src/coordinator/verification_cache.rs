//! The memory that pending verifications use.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use farsign::momentum::Momentum;
use farsign::version::Version;

/// Weak references to the versions and momenta that pending verifications need, shared between volunteers. Entries are
/// dropped when nothing refers to them. A momentum counts as much as a version, which is its largest size.
#[derive(Debug)]
pub(super) struct VerificationCache {
    /// Limit of entries.
    capacity: usize,
    /// By their address.
    versions: HashMap<usize, Weak<Version>>,
    momenta: Vec<Weak<Momentum>>,
}

impl VerificationCache {
    /// Creates a cache for entries of `parameters` values within `max_bytes`.
    pub fn new(max_bytes: usize, parameters: usize) -> Self {
        let capacity = max_bytes / (size_of::<i32>() * parameters);
        Self {
            capacity,
            versions: HashMap::new(),
            momenta: Vec::new(),
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

    /// Tracks a momentum. Returns false, and does not track it, if the limit is reached.
    pub fn admit_momentum(&mut self, momentum: &Arc<Momentum>) -> bool {
        if !self.has_capacity() {
            return false;
        }
        self.momenta.push(Arc::downgrade(momentum));
        true
    }

    fn has_capacity(&mut self) -> bool {
        self.versions.retain(|_, entry| entry.strong_count() > 0);
        self.momenta.retain(|entry| entry.strong_count() > 0);
        self.versions.len() + self.momenta.len() < self.capacity
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

    #[test]
    fn momenta_count_towards_limit() {
        let mut cache = cache(1);
        let momentum = Arc::new(Momentum::default());
        assert!(cache.admit_momentum(&momentum));
        assert!(!cache.admit(&version()));
        let other = Arc::new(Momentum::default());
        assert!(!cache.admit_momentum(&other), "a second exceeds the limit");
        drop(momentum);
        assert!(cache.admit(&version()));
    }
}
