//! Sized tasks: the images of each worker's tasks, from its pace, as in the product.

use farsign::task_sizing::{TaskLimits, VolunteerPace};

/// Timeout of a task, in milliseconds: the product's default.
const TASK_TIMEOUT_MS: u32 = 120_000;

/// The pace of every worker, and the limits of a task's size.
///
/// Only the line enlarges tasks: the simulated server takes any number of updates a second, no line has a budget, and
/// verification takes no time.
#[derive(Debug)]
pub struct TaskSizing {
    paces: Vec<VolunteerPace>,
    limits: TaskLimits,
    /// Images of all updates, and their number.
    images: u64,
    updates: u64,
}

/// The measured times of an update.
#[derive(Clone, Copy, Debug)]
pub struct UpdateTimes {
    /// Time on the line, in both directions, in seconds.
    pub round_trip_s: f64,
    /// Time since the task was sent, in seconds.
    pub since_sent_s: f64,
}

impl TaskSizing {
    /// Creates the paces of workers that sent no update yet.
    pub fn new(workers: usize, minibatch: u32, training_images: usize) -> Self {
        Self {
            paces: vec![VolunteerPace::default(); workers],
            limits: TaskLimits {
                minibatch,
                training_images: u32::try_from(training_images).unwrap_or(u32::MAX),
                timeout_ms: TASK_TIMEOUT_MS,
                active: 0,
                updates_per_s: None,
                verifiable_images: None,
            },
            images: 0,
            updates: 0,
        }
    }

    /// Records that a worker begins a session, of which nothing is measured yet.
    pub fn on_join(&mut self, worker: usize) {
        self.paces[worker] = VolunteerPace::default();
    }

    /// Records an update of a worker to a task of `images`.
    ///
    /// Its time on the line also counts as that of a ping.
    pub fn on_update(&mut self, worker: usize, images: u32, times: UpdateTimes) {
        let pace = &mut self.paces[worker];
        pace.record_round_trip(times.round_trip_s);
        pace.record_task(images, times.since_sent_s, None);
        self.images += u64::from(images);
        self.updates += 1;
    }

    /// Returns the images of a worker's next task.
    pub fn next_images(&self, worker: usize) -> u32 {
        self.paces[worker].task_images(&self.limits)
    }

    /// Returns the mean images of an update; 0 before the first.
    pub fn mean_images(&self) -> f64 {
        self.images as f64 / self.updates.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIBATCH: u32 = 64;

    /// Returns the images of each task of a worker that computes `speed` images a second, 100 ms away.
    fn task_images(speed: f64, tasks: usize) -> Vec<u32> {
        let mut sizing = TaskSizing::new(1, MINIBATCH, 50_000);
        let mut images = Vec::new();
        for _ in 0..tasks {
            let next = sizing.next_images(0);
            let times = UpdateTimes {
                round_trip_s: 0.1,
                since_sent_s: 0.1 + f64::from(next) / speed,
            };
            sizing.on_update(0, next, times);
            images.push(next);
        }
        images
    }

    #[test]
    fn tasks_grow_to_two_round_trips() {
        let images = task_images(5_000.0, 40);
        assert_eq!(images[0], MINIBATCH, "nothing is known of the first task");
        assert!(images.windows(2).all(|pair| pair[1] <= 2 * pair[0]));
        let expected = 5_000.0 * 0.2;
        assert!((f64::from(images[39]) - expected).abs() < 2.0, "{images:?}");
    }

    #[test]
    fn slow_worker_keeps_minibatch() {
        assert_eq!(task_images(100.0, 40), [MINIBATCH; 40]);
    }

    #[test]
    fn new_session_begins_with_minibatch() {
        let mut sizing = TaskSizing::new(2, MINIBATCH, 50_000);
        let times = UpdateTimes {
            round_trip_s: 0.1,
            since_sent_s: 0.15,
        };
        (0..20).for_each(|_| sizing.on_update(1, 250, times));
        assert!(sizing.next_images(1) > MINIBATCH);
        assert_eq!(sizing.mean_images(), 250.0);
        sizing.on_join(1);
        assert_eq!(sizing.next_images(1), MINIBATCH);
    }
}
