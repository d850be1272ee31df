//! The snapshots that tasks refer to, published at the product's rate.

use std::sync::Arc;

use farsign::assignment::updates_between_snapshots;

/// The current snapshot and the schedule of the next one.
#[derive(Debug)]
pub struct SnapshotSchedule {
    /// Version of the snapshot.
    pub version: u64,
    /// Updates in the snapshot.
    pub updates: u64,
    /// Parameters, `[d]`.
    pub x: Arc<[f32]>,
    /// Number of received updates at which the next snapshot is due.
    due: u64,
}

impl SnapshotSchedule {
    /// Creates the initial snapshot.
    pub fn new(x: &[f32]) -> Self {
        Self {
            version: 0,
            updates: 0,
            x: x.into(),
            due: 0,
        }
    }

    /// Publishes a snapshot if one is due, after `received` updates, `updates` of which changed the parameters.
    pub fn maybe_publish(&mut self, x: &[f32], received: u64, updates: u64, active: usize) {
        if received >= self.due {
            self.due = received + updates_between_snapshots(active);
            self.version += 1;
            self.updates = updates;
            self.x = x.into();
        }
    }
}
