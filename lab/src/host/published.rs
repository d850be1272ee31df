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
    /// Answers at which the next one is due.
    due: u64,
}

impl Published {
    /// The first version.
    pub fn new(x: &[f32]) -> Self {
        Self { version: 0, updates: 0, x: x.into(), due: 0 }
    }

    /// There were so many answers of so many active workers now, and so many of them changed the parameters.
    pub fn renew(&mut self, x: &[f32], answers: u64, updates: u64, active: usize) {
        if answers >= self.due {
            self.due = answers + answers_between_snapshots(active);
            (self.version, self.updates, self.x) = (self.version + 1, updates, x.into());
        }
    }
}
