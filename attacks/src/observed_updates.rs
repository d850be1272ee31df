//! The updates that omniscient attackers observe.

/// The latest honest update of each worker, with their statistics.
#[derive(Clone, Debug, Default)]
pub struct ObservedUpdates {
    latest: Vec<Vec<f32>>,
    first: Vec<f32>,
    /// The worker of the first update.
    leader: usize,
    mean: Vec<f32>,
    /// Standard deviation, coordinate by coordinate, `[d]`.
    deviation: Vec<f32>,
    /// Whether the statistics are out of date.
    outdated: bool,
}

impl ObservedUpdates {
    /// Records the update of an honest worker, `[d]`.
    pub fn observe(&mut self, worker: usize, update: &[f32]) {
        if self.first.is_empty() {
            self.first.extend_from_slice(update);
            self.leader = worker;
        }
        if self.latest.len() <= worker {
            self.latest.resize(worker + 1, Vec::new());
        }
        let latest = &mut self.latest[worker];
        latest.clear();
        latest.extend_from_slice(update);
        self.outdated = true;
    }

    /// Returns the first update; empty before the first observation.
    pub fn first(&self) -> &[f32] {
        &self.first
    }

    /// Returns the latest update of the worker that was observed first; empty before the first observation.
    pub fn mimicked(&self) -> &[f32] {
        self.latest.get(self.leader).map_or(&[], |latest| latest)
    }

    /// Returns mean and standard deviation of the latest updates, `[d]` each; empty before the first observation.
    pub fn statistics(&mut self) -> (&[f32], &[f32]) {
        if self.outdated {
            self.update();
        }
        (&self.mean, &self.deviation)
    }

    fn update(&mut self) {
        self.outdated = false;
        let present = || self.latest.iter().filter(|latest| !latest.is_empty());
        let d = self.first.len();
        let count = present().count() as f32;
        for sums in [&mut self.mean, &mut self.deviation] {
            sums.clear();
            sums.resize(d, 0.0);
        }
        for update in present() {
            self.mean
                .iter_mut()
                .zip(update)
                .for_each(|(mean, r)| *mean += r);
        }
        self.mean.iter_mut().for_each(|mean| *mean /= count);
        for update in present() {
            for ((deviation, r), mean) in self.deviation.iter_mut().zip(update).zip(&self.mean) {
                *deviation += (r - mean) * (r - mean);
            }
        }
        self.deviation
            .iter_mut()
            .for_each(|deviation| *deviation = (*deviation / count).sqrt());
    }
}
