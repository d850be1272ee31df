//! The parameters that tasks are issued against, renewed as often as the product does.

use std::sync::Arc;

use farsign::assignment::answers_between_snapshots;

/// A version of the parameters.
#[derive(Debug)]
pub struct Published {
    /// Its number.
    pub version: u64,
    /// Updates in it.
    pub updates: u64,
    /// The parameters, `[d]`.
    pub x: Arc<[f32]>,
    due: u64,
}

impl Published {
    /// The first version.
    pub fn new(x: &[f32]) -> Self {
        Self { version: 0, updates: 0, x: x.into(), due: 0 }
    }

    /// There are so many updates now, of so many active workers.
    pub fn renew(&mut self, x: &[f32], updates: u64, active: usize) {
        if updates >= self.due {
            self.due = updates + answers_between_snapshots(active);
            (self.version, self.updates, self.x) = (self.version + 1, updates, x.into());
        }
    }
}
