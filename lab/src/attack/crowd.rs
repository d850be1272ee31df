//! What omniscient liars see: the latest honest answers.

/// The latest honest answer of each worker, and what they have in common.
#[derive(Clone, Debug, Default)]
pub struct Crowd {
    latest: Vec<Vec<f32>>,
    first: Vec<f32>,
    /// The worker that answered first.
    leader: usize,
    mean: Vec<f32>,
    /// Standard deviation, coordinate by coordinate, `[d]`.
    deviation: Vec<f32>,
    /// Whether an answer came since these two were computed.
    stale: bool,
}

impl Crowd {
    /// An honest worker has answered `report`, `[d]`.
    pub fn see(&mut self, worker: usize, report: &[f32]) {
        if self.first.is_empty() {
            self.first.extend_from_slice(report);
            self.leader = worker;
        }
        if self.latest.len() <= worker {
            self.latest.resize(worker + 1, Vec::new());
        }
        let latest = &mut self.latest[worker];
        latest.clear();
        latest.extend_from_slice(report);
        self.stale = true;
    }

    /// The first answer of all; empty before there is one.
    pub fn first(&self) -> &[f32] {
        &self.first
    }

    /// The latest answer of the honest worker that answered first of all; empty before there is one.
    pub fn of_one(&self) -> &[f32] {
        self.latest.get(self.leader).map_or(&[], |latest| latest)
    }

    /// Mean and standard deviation of the latest answers, `[d]` each; empty before there is one.
    pub fn statistics(&mut self) -> (&[f32], &[f32]) {
        if self.stale {
            self.update();
        }
        (&self.mean, &self.deviation)
    }

    fn update(&mut self) {
        self.stale = false;
        let present = || self.latest.iter().filter(|latest| !latest.is_empty());
        let (d, count) = (self.first.len(), present().count() as f32);
        for sums in [&mut self.mean, &mut self.deviation] {
            sums.clear();
            sums.resize(d, 0.0);
        }
        for report in present() {
            self.mean.iter_mut().zip(report).for_each(|(mean, r)| *mean += r);
        }
        self.mean.iter_mut().for_each(|mean| *mean /= count);
        for report in present() {
            for ((deviation, r), mean) in self.deviation.iter_mut().zip(report).zip(&self.mean) {
                *deviation += (r - mean) * (r - mean);
            }
        }
        self.deviation.iter_mut().for_each(|deviation| *deviation = (*deviation / count).sqrt());
    }
}
