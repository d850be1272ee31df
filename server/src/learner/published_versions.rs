//! The versions that were published, for the updates to their tasks.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};

use farsign::version::{Version, VersionHash};

/// Published versions that are remembered.
const MAX_VERSIONS: usize = 16_384;

/// Published versions by their name. The version itself is kept by its users; without them, only its number of accepted updates is
/// known.
#[derive(Debug, Default)]
pub(super) struct PublishedVersions {
    /// Number of versions to keep.
    capacity: usize,
    /// The newest, the oldest first.
    kept: VecDeque<Arc<Version>>,
    by_hash: HashMap<VersionHash, PublishedEntry>,
    /// The oldest first.
    hashes: VecDeque<VersionHash>,
}

#[derive(Debug)]
struct PublishedEntry {
    version: Weak<Version>,
    accepted: u64,
    /// Number of times that it was published; a run that moves nothing publishes equal versions.
    count: usize,
}

impl PublishedVersions {
    /// Creates an empty set that keeps the newest `capacity` versions.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            ..Self::default()
        }
    }

    /// Remembers a version.
    pub fn insert(&mut self, version: &Arc<Version>) {
        if self.hashes.len() == MAX_VERSIONS {
            self.forget_oldest();
        }
        let hash = version.hash();
        self.hashes.push_back(hash);
        let count = self.by_hash.get(&hash).map_or(0, |entry| entry.count);
        let entry = PublishedEntry {
            version: Arc::downgrade(version),
            accepted: version.accepted(),
            count: count + 1,
        };
        self.by_hash.insert(hash, entry);
        self.kept.push_back(Arc::clone(version));
        if self.kept.len() > self.capacity {
            self.kept.pop_front();
        }
    }

    fn forget_oldest(&mut self) {
        let Some(oldest) = self.hashes.pop_front() else {
            return;
        };
        if let Some(entry) = self.by_hash.get_mut(&oldest) {
            entry.count -= 1;
            if entry.count == 0 {
                self.by_hash.remove(&oldest);
            }
        }
    }

    /// Returns the version of this name. `None` if it is not in use.
    pub fn get(&self, hash: VersionHash) -> Option<Arc<Version>> {
        self.by_hash.get(&hash)?.version.upgrade()
    }

    /// Returns the accepted updates in the version of this name. `None` if it is not remembered.
    pub fn accepted(&self, hash: VersionHash) -> Option<u64> {
        self.by_hash.get(&hash).map(|entry| entry.accepted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use farsign::fixed_point::FixedPoint;
    use farsign::version::Grid;

    fn version(accepted: u64, x: i32) -> Arc<Version> {
        let fixed_point = FixedPoint::new(20).unwrap();
        let grid = Grid {
            fixed_point,
            shift: 0,
        };
        Arc::new(Version::round(accepted, accepted, &[x], grid))
    }

    #[test]
    fn used_versions_are_found() {
        let mut versions = PublishedVersions::default();
        let first = version(1, 5);
        versions.insert(&first);
        assert!(versions.get(first.hash()).is_some());
        let hash = first.hash();
        drop(first);
        assert!(versions.get(hash).is_none(), "it is not in use");
        assert_eq!(versions.accepted(hash), Some(1));
    }

    #[test]
    fn newest_versions_are_kept() {
        let mut versions = PublishedVersions::new(2);
        let hashes = [1, 2, 3].map(|x| {
            let version = version(1, x);
            versions.insert(&version);
            version.hash()
        });
        let found = hashes.map(|hash| versions.get(hash).is_some());
        assert_eq!(found, [false, true, true]);
    }

    #[test]
    fn old_versions_are_forgotten() {
        let mut versions = PublishedVersions::default();
        let [same, first] = [-1, 0].map(|x| version(1, x));
        versions.insert(&same);
        versions.insert(&first);
        for number in 2..MAX_VERSIONS as u64 {
            versions.insert(&version(number, number as i32));
        }
        versions.insert(&same);
        assert_eq!(versions.accepted(same.hash()), Some(1), "published again");
        versions.insert(&version(1, -2));
        assert_eq!(versions.accepted(first.hash()), None);
        assert_eq!(versions.by_hash.len(), versions.hashes.len());
    }
}
