//! Evaluation of the model on the held-out data, in parallel with training, without delaying it.

use std::sync::Arc;
use std::time::Instant;

use farsign::dataset::Dataset;
use farsign::kernels::{Evaluation, sparse::Kernel};
use farsign::model::Architecture;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::watch;

use crate::gateway::Snapshot;

/// Points of a history; a page draws fewer pixels than that.
const MAX_POINTS: usize = 400;

/// Sleep after an evaluation, as a multiple of its duration: evaluation uses at most a fifth of one core.
const SLEEP_FACTOR: u32 = 4;

/// One evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Accepted updates in the model.
    pub accepted: u64,
    /// Seconds since the first accepted update; 0 before.
    pub elapsed_s: f64,
    /// Fraction of correctly classified held-out images, 0 to 1.
    pub accuracy: f32,
    /// Mean cross-entropy on the held-out images, in nats.
    pub loss: f32,
}

/// Evaluations in order, thinned so that their number stays bounded over a run of any length.
#[derive(Debug)]
pub struct History {
    points: Vec<Point>,
    newest: Option<Point>,
    /// Evaluations per stored point; doubles when the history is full.
    stride: usize,
    seen: usize,
}

impl Default for History {
    fn default() -> Self {
        Self {
            points: Vec::with_capacity(MAX_POINTS),
            newest: None,
            stride: 1,
            seen: 0,
        }
    }
}

impl History {
    /// Adds an evaluation.
    pub fn push(&mut self, point: Point) {
        if self.points.len() == MAX_POINTS {
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

    /// Returns the newest evaluation.
    pub fn newest(&self) -> Option<Point> {
        self.newest
    }

    /// Returns the stored evaluations, the newest last.
    pub fn points(&self) -> Vec<Point> {
        let mut points = self.points.clone();
        points.extend(
            self.newest
                .filter(|newest| self.points.last() != Some(newest)),
        );
        points
    }
}

/// A history shared by the evaluator and request handlers. Its lock is held only to copy.
#[derive(Clone, Debug, Default)]
pub struct SharedHistory(Arc<Mutex<History>>);

impl SharedHistory {
    /// Reads the history.
    pub fn read<T>(&self, read: impl FnOnce(&History) -> T) -> T {
        read(&self.0.lock())
    }

    fn push(&self, point: Point) {
        self.0.lock().push(point);
    }
}

/// An evaluator of snapshots.
#[derive(Debug)]
pub struct Evaluator {
    /// Architecture of the model.
    pub architecture: Architecture,
    /// Images that are never sent to volunteers.
    pub held_out: Arc<Dataset>,
    /// Accepted updates between evaluations.
    pub every: u64,
    /// Destination of the results.
    pub history: SharedHistory,
}

impl Evaluator {
    /// Evaluates the first snapshot, then one per `every` accepted updates, and the finished model. Ends with the
    /// gateway.
    ///
    /// One evaluation runs at a time and is followed by a sleep. Slow evaluation makes the curve sparser but does not
    /// slow training.
    pub async fn run(self, mut snapshots: watch::Receiver<Arc<Snapshot>>) {
        let evaluator = Arc::new(self);
        let mut due = 0;
        let mut training_since = None;
        loop {
            let snapshot = Arc::clone(&snapshots.borrow_and_update());
            if snapshot.accepted > 0 && training_since.is_none() {
                training_since = Some(Instant::now());
            }
            if snapshot.accepted >= due || snapshot.is_finished() {
                due = snapshot.accepted + evaluator.every;
                let started = Instant::now();
                let elapsed_s = training_since.map_or(0.0, |since| (started - since).as_secs_f64());
                let evaluator = Arc::clone(&evaluator);
                let work =
                    tokio::task::spawn_blocking(move || evaluator.evaluate(&snapshot, elapsed_s));
                if work.await.is_err() {
                    tracing::error!(event = "evaluation_failed", "evaluation panicked");
                }
                tokio::time::sleep(SLEEP_FACTOR * started.elapsed()).await;
            }
            if snapshots.changed().await.is_err() {
                return;
            }
        }
    }

    fn evaluate(&self, snapshot: &Snapshot, elapsed_s: f64) {
        let Evaluation { accuracy, loss } =
            Kernel::new(&self.architecture).evaluate(snapshot.parameters(), &self.held_out);
        self.history.push(Point {
            accepted: snapshot.accepted,
            elapsed_s,
            accuracy,
            loss,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_is_thinned_evenly() {
        let mut history = History::default();
        for n in 0..100_003 {
            history.push(Point {
                accepted: n,
                elapsed_s: n as f64,
                accuracy: 0.5,
                loss: 1.0,
            });
            assert!(history.points().len() <= MAX_POINTS + 1);
        }
        let points = history.points();
        assert!(
            points.len() > MAX_POINTS / 2,
            "{} points are too few",
            points.len()
        );
        assert_eq!(
            (points[0].accepted, points[points.len() - 1].accepted),
            (0, 100_002)
        );
        let gaps: Vec<u64> = points
            .windows(2)
            .map(|p| p[1].accepted - p[0].accepted)
            .collect();
        let inner = &gaps[..gaps.len() - 1];
        assert!(
            inner.iter().all(|gap| gap == &inner[0]),
            "gaps differ: {gaps:?}"
        );
    }
}
