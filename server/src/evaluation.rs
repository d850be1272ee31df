//! Accuracy on the held-out data, measured beside the training and never in its way.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use farsign::dataset::Dataset;
use farsign::kernels::{Evaluation, sparse::Kernel};
use farsign::model::Architecture;
use serde::Serialize;
use tokio::sync::watch;

use crate::coordinator::Snapshot;

/// Points a history keeps at most; a page draws fewer pixels than that.
const MOST_POINTS: usize = 400;

/// An evaluation rests for so many times its own duration: it takes a fifth of one core at most.
const REST: u32 = 4;

/// One evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Accepted contributions in the model.
    pub accepted: u64,
    /// Seconds since the first contribution was seen; 0 before.
    pub elapsed_s: f64,
    /// Share of the held-out images classified right, 0 to 1.
    pub accuracy: f32,
    /// Mean cross-entropy on them, in nats.
    pub loss: f32,
}

/// Evaluations in order, thinned so that their number stays bounded over any length of run.
#[derive(Debug)]
pub struct History {
    points: Vec<Point>,
    newest: Option<Point>,
    /// Every how many evaluations one is kept; doubles when the history is full.
    stride: usize,
    seen: usize,
}

impl Default for History {
    fn default() -> Self {
        Self { points: Vec::with_capacity(MOST_POINTS), newest: None, stride: 1, seen: 0 }
    }
}

impl History {
    /// Adds an evaluation.
    pub fn push(&mut self, point: Point) {
        if self.points.len() == MOST_POINTS {
            let mut index = 0;
            self.points.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.stride *= 2;
        }
        if self.seen.is_multiple_of(self.stride) {
            self.points.push(point);
        }
        self.seen += 1;
        self.newest = Some(point);
    }

    /// The last evaluation.
    pub fn newest(&self) -> Option<Point> {
        self.newest
    }

    /// The kept evaluations; the last of them is the newest.
    pub fn points(&self) -> Vec<Point> {
        let mut points = self.points.clone();
        points.extend(self.newest.filter(|newest| self.points.last() != Some(newest)));
        points
    }
}

/// A history that the evaluation writes and the status page reads. Its lock is held for a copy, never for work.
#[derive(Clone, Debug, Default)]
pub struct SharedHistory(Arc<Mutex<History>>);

impl SharedHistory {
    /// Reads the history.
    pub fn read<T>(&self, read: impl FnOnce(&History) -> T) -> T {
        read(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, point: Point) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(point);
    }
}

/// What an evaluation loop needs.
#[derive(Debug)]
pub struct Evaluator {
    /// The model.
    pub architecture: Architecture,
    /// Images only the server has.
    pub held_out: Arc<Dataset>,
    /// Accepted contributions between evaluations.
    pub every: u64,
    /// Where results go.
    pub history: SharedHistory,
}

impl Evaluator {
    /// Evaluates the first snapshot, then one whenever enough contributions have come, and the finished model; ends
    /// when the coordinator does. One evaluation runs at a time and rests before the next, so that on a large
    /// held-out set points become rarer instead of the training slower.
    pub async fn run(self, mut snapshots: watch::Receiver<Arc<Snapshot>>) {
        let evaluator = Arc::new(self);
        let (mut due, mut training_since) = (0, None);
        loop {
            let snapshot = Arc::clone(&snapshots.borrow_and_update());
            if snapshot.accepted > 0 && training_since.is_none() {
                training_since = Some(Instant::now());
            }
            if snapshot.accepted >= due || snapshot.is_finished() {
                due = snapshot.accepted + evaluator.every;
                let began = Instant::now();
                let elapsed_s = training_since.map_or(0.0, |since| (began - since).as_secs_f64());
                let evaluator = Arc::clone(&evaluator);
                let work = tokio::task::spawn_blocking(move || evaluator.evaluate(&snapshot, elapsed_s));
                if work.await.is_err() {
                    tracing::error!(
                        event = "evaluation_failed",
                        "an evaluation panicked; the accuracy shown is of an earlier model"
                    );
                }
                tokio::time::sleep(REST * began.elapsed()).await;
            }
            if snapshots.changed().await.is_err() {
                return;
            }
        }
    }

    fn evaluate(&self, snapshot: &Snapshot, elapsed_s: f64) {
        let Evaluation { accuracy, loss } =
            Kernel::new(&self.architecture).evaluate(&snapshot.x, &self.held_out);
        self.history.push(Point { accepted: snapshot.accepted, elapsed_s, accuracy, loss });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_stays_bounded_and_keeps_its_first_and_newest_point() {
        let mut history = History::default();
        for n in 0..100_003 {
            history.push(Point { accepted: n, elapsed_s: n as f64, accuracy: 0.5, loss: 1.0 });
            assert!(history.points().len() <= MOST_POINTS + 1);
        }
        let points = history.points();
        assert!(points.len() > MOST_POINTS / 2, "{} points are too few", points.len());
        assert_eq!((points[0].accepted, points[points.len() - 1].accepted), (0, 100_002));
        let gaps: Vec<u64> = points.windows(2).map(|p| p[1].accepted - p[0].accepted).collect();
        let inner = &gaps[..gaps.len() - 1];
        assert!(inner.iter().all(|gap| gap == &inner[0]), "kept points are evenly spaced: {gaps:?}");
    }
}
