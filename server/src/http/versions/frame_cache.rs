//! The frames of the pairs that were requested last.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::Bytes;
use tokio::sync::OnceCell;

use super::pair::VersionPair;

/// Cached pairs of versions.
const MAX_PAIRS: usize = 256;

/// Largest size of the cached frames, in bytes; one of them is always kept.
const MAX_FRAME_BYTES: usize = 64 << 20;

/// An encoded version, as the body of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionFrame {
    /// The tag of the bytes.
    pub tag: String,
    /// One server frame with one version record.
    pub bytes: Bytes,
}

/// A frame, or its encoding in progress, shared by all who request it.
pub type FrameCell = Arc<OnceCell<VersionFrame>>;

/// A cache of frames. The oldest are dropped first.
#[derive(Debug, Default)]
pub struct FrameCache {
    entries: VecDeque<(VersionPair, FrameCell)>,
}

impl FrameCache {
    /// Returns the cell of a pair, an empty one if the pair is not cached.
    pub fn cell(&mut self, pair: VersionPair) -> FrameCell {
        if let Some((_, cell)) = self.entries.iter().find(|(cached, _)| *cached == pair) {
            return Arc::clone(cell);
        }
        // Empty cells of failed requests are dropped, or such requests could replace the frames.
        self.entries
            .retain(|(_, cell)| cell.initialized() || Arc::strong_count(cell) > 1);
        let cell = FrameCell::default();
        self.entries.push_back((pair, Arc::clone(&cell)));
        cell
    }

    /// Drops the oldest frames above the limits.
    pub fn trim(&mut self) {
        while self.entries.len() > 1
            && (self.entries.len() > MAX_PAIRS || self.bytes() > MAX_FRAME_BYTES)
        {
            self.entries.pop_front();
        }
    }

    fn bytes(&self) -> usize {
        let frames = self.entries.iter().filter_map(|(_, cell)| cell.get());
        frames.map(|frame| frame.bytes.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use farsign::version::VersionHash;

    fn pair(number: usize) -> VersionPair {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&number.to_le_bytes());
        VersionPair::whole(VersionHash(hash))
    }

    fn insert(cache: &mut FrameCache, number: usize, bytes: usize) {
        let frame = VersionFrame {
            tag: number.to_string(),
            bytes: vec![0; bytes].into(),
        };
        cache.cell(pair(number)).set(frame).unwrap();
        cache.trim();
    }

    #[test]
    fn oldest_pairs_are_dropped() {
        let mut cache = FrameCache::default();
        (0..MAX_PAIRS + 3).for_each(|number| insert(&mut cache, number, 1));
        assert_eq!(cache.entries.len(), MAX_PAIRS);
        assert!(cache.cell(pair(3)).initialized());
        assert!(!cache.cell(pair(2)).initialized());
    }

    #[test]
    fn frame_bytes_are_bounded() {
        let mut cache = FrameCache::default();
        (0..5).for_each(|number| insert(&mut cache, number, MAX_FRAME_BYTES / 2));
        assert_eq!(cache.bytes(), MAX_FRAME_BYTES);
        insert(&mut cache, 5, MAX_FRAME_BYTES + 1);
        assert_eq!(cache.bytes(), MAX_FRAME_BYTES + 1, "the last one is kept");
    }

    #[test]
    fn failed_requests_drop_no_frame() {
        let mut cache = FrameCache::default();
        insert(&mut cache, 0, 1);
        let waiting = cache.cell(pair(1));
        (2..2 * MAX_PAIRS).for_each(|number| drop(cache.cell(pair(number))));
        cache.trim();
        assert!(cache.cell(pair(0)).initialized());
        assert!(Arc::ptr_eq(&waiting, &cache.cell(pair(1))));
    }
}
