//! What checks to come stand on, as long as there is room for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use farsign::tracker::Tracker;

/// Parameters as volunteers were sent them, which those who got the same share, and trackers that a further check goes on
/// from. It owns none of them: whatever nobody waits with any more makes room. A tracker is counted as large as the
/// parameters, which it is at most.
#[derive(Debug)]
pub struct Kept {
    /// Things there is room for.
    most: usize,
    /// By version, and whether they were sent in half precision.
    parameters: HashMap<(u64, bool), Weak<[f32]>>,
    trackers: Vec<Weak<Mutex<Tracker>>>,
}

impl Kept {
    /// Nothing yet, and room for so many bytes of things of `parameters` values each.
    pub fn new(most_bytes: usize, parameters: usize) -> Self {
        let most = most_bytes / (size_of::<f32>() * parameters);
        Self { most, parameters: HashMap::new(), trackers: Vec::new() }
    }

    /// The parameters of a version as they were `sent`, in half precision or not; none when there is no room.
    pub fn parameters(
        &mut self,
        version: u64,
        half: bool,
        sent: impl FnOnce() -> Arc<[f32]>,
    ) -> Option<Arc<[f32]>> {
        if let Some(kept) = self.parameters.get(&(version, half)).and_then(Weak::upgrade) {
            return Some(kept);
        }
        if !self.has_room() {
            return None;
        }
        let kept = sent();
        self.parameters.insert((version, half), Arc::downgrade(&kept));
        Some(kept)
    }

    /// A check will go on from this tracker.
    pub fn tracker(&mut self, tracker: &Arc<Mutex<Tracker>>) {
        self.trackers.push(Arc::downgrade(tracker));
    }

    /// Whether there is room for one more.
    pub fn has_room(&mut self) -> bool {
        self.parameters.retain(|_, kept| kept.strong_count() > 0);
        self.trackers.retain(|kept| kept.strong_count() > 0);
        self.parameters.len() + self.trackers.len() < self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMETERS: usize = 5;

    fn sent() -> Arc<[f32]> {
        Arc::from([0.0; PARAMETERS])
    }

    fn with_room_for(things: usize) -> Kept {
        Kept::new(things * 4 * PARAMETERS, PARAMETERS)
    }

    #[test]
    fn whoever_was_sent_the_same_shares_it() {
        let mut kept = with_room_for(2);
        let first = kept.parameters(1, false, sent).expect("room");
        let again = kept.parameters(1, false, || panic!("it is there")).expect("room");
        assert!(Arc::ptr_eq(&first, &again));
        let half = kept.parameters(1, true, sent).expect("room");
        assert!(!Arc::ptr_eq(&first, &half), "half precision is something else");
        assert!(kept.parameters(2, false, sent).is_none(), "a third has no room");
        assert!(kept.parameters(1, true, sent).is_some(), "what is there needs none");
    }

    #[test]
    fn what_nobody_waits_with_makes_room() {
        let mut kept = with_room_for(1);
        let first = kept.parameters(1, false, sent);
        assert!(first.is_some() && !kept.has_room());
        drop(first);
        assert!(kept.parameters(2, false, sent).is_some());
    }

    #[test]
    fn trackers_take_room_too() {
        let mut kept = with_room_for(1);
        let tracker = Arc::new(Mutex::new(Tracker::default()));
        kept.tracker(&tracker);
        assert!(!kept.has_room() && kept.parameters(1, false, sent).is_none());
        drop(tracker);
        assert!(kept.has_room());
    }
}
