//! A session's open tasks and the times that it measures, from which the coordinator decides the size of tasks.

use std::collections::VecDeque;
use std::time::Duration;

use farsign::task::TaskId;
use farsign::task_sizing::{MAX_OPEN_TASKS, VolunteerPace};
use farsign::volunteer::MAX_TASK_DELAY_MS;
use tokio::time::Instant;

use crate::effort::Effort;
use crate::gateway::TaskRequest;

/// Age of the newest round trip after which a volunteer with two open tasks gets no further one, until it has none: only
/// then does it return a ping at once.
const ROUND_TRIP_TTL: Duration = Duration::from_secs(10);

/// Time between two pings of a volunteer without an open task.
const ROUND_TRIP_INTERVAL: Duration = Duration::from_secs(1);

/// Longest rest that the server keeps for a volunteer.
const MAX_REST: Duration = Duration::from_millis(MAX_TASK_DELAY_MS);

/// Longest wait of a task for the limits of the egress. Volunteers count a longer silence as a lost server.
const MAX_HOLD: Duration = Duration::from_millis(MAX_TASK_DELAY_MS);

/// A task that the volunteer has.
#[derive(Clone, Copy, Debug)]
struct OpenTask {
    id: TaskId,
    images: u32,
    sent: Instant,
}

/// The open tasks of a session, and its measured times.
#[derive(Debug)]
pub(super) struct Pacing {
    /// Number of shards that the volunteer holds.
    shards: u16,
    pace: VolunteerPace,
    open: VecDeque<OpenTask>,
    /// Time of the last update that closed a task.
    updated: Option<Instant>,
    /// Time of the last ping of a volunteer without an open task.
    pinged: Option<Instant>,
    /// Time until which the volunteer takes no task.
    rests_until: Option<Instant>,
    /// Time until which the limits of the egress hold the next task. `None` if they do not.
    held_until: Option<Instant>,
}

impl Pacing {
    pub fn new() -> Self {
        Self {
            shards: 1,
            pace: VolunteerPace::default(),
            open: VecDeque::with_capacity(MAX_OPEN_TASKS),
            updated: None,
            pinged: None,
            rests_until: None,
            held_until: None,
        }
    }

    /// Returns whether the volunteer has no open task.
    pub fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    /// Returns whether the volunteer has this task.
    pub fn is_open(&self, id: TaskId) -> bool {
        self.open.iter().any(|task| task.id == id)
    }

    /// Records that the open tasks were closed without their updates.
    pub fn on_tasks_replaced(&mut self) {
        self.open.clear();
    }

    /// Returns whether an update has closed a task.
    pub fn has_closed_task(&self) -> bool {
        self.updated.is_some()
    }

    /// Holds the next task for a time, at most a minute.
    pub fn hold(&mut self, wait: Duration, now: Instant) {
        self.held_until = (!wait.is_zero()).then(|| now + wait.min(MAX_HOLD));
    }

    /// Returns whether the next task is held, or was and is not sent yet.
    pub fn is_held(&self) -> bool {
        self.held_until.is_some()
    }

    /// Records a task that was sent.
    pub fn on_task_sent(&mut self, id: TaskId, images: u32, sent: Instant) {
        self.held_until = None;
        self.open.push_back(OpenTask { id, images, sent });
    }

    /// Returns whether a ping is due before the tasks that are about to be sent, and records it.
    ///
    /// Only a volunteer without an open task returns it at once: others may compute first. None comes before the first
    /// task, whose frame has the welcome and a whole model.
    pub fn ping_is_due(&mut self, now: Instant) -> bool {
        let is_due = self.is_idle()
            && self.updated.is_some()
            && (self.pace.round_trip_s().is_none()
                || self
                    .pinged
                    .is_none_or(|pinged| now - pinged >= ROUND_TRIP_INTERVAL));
        if is_due {
            self.pinged = Some(now);
        }
        is_due
    }

    /// Records a round trip of a volunteer. It contains other waiting unless the volunteer was idle.
    pub fn on_round_trip(&mut self, round_trip: Duration, was_idle: bool) {
        if was_idle {
            self.pace.record_round_trip(round_trip.as_secs_f64());
        } else {
            self.pace.record_round_trip_bound(round_trip.as_secs_f64());
        }
    }

    /// Records the number of shards that the volunteer holds. It never falls.
    pub fn on_shards(&mut self, held: u16) {
        self.shards = self.shards.max(held);
    }

    /// Records what a second of the volunteer's computing may cost its line, in bytes; 0 without a limit.
    pub fn on_line_rate(&mut self, bytes_per_s: u32) {
        self.pace.set_line_rate(bytes_per_s);
    }

    /// Records the bytes of a task and its update.
    pub fn on_task_bytes(&mut self, bytes: u64) {
        self.pace.record_task_bytes(bytes);
    }

    /// Records that the volunteer takes no task for this time. A later rest replaces it.
    pub fn on_rest(&mut self, rest: Duration, now: Instant) {
        self.rests_until = Some(now + rest.min(MAX_REST));
    }

    /// Returns the request that goes with an update to `task`.
    ///
    /// If the task is open, it counts as closed: whether it was decides [`Pacing::on_task_closed`].
    pub fn request(&self, task: TaskId, now: Instant) -> TaskRequest {
        let first = self.open.front().filter(|first| first.id == task);
        TaskRequest {
            pace: first.map_or(self.pace, |first| self.pace_after(first, now)),
            shards: self.shards,
            max_open: self.max_open(now),
            replaces_open: false,
        }
    }

    /// Returns the request of a volunteer that has rested.
    pub fn request_after_rest(&self) -> TaskRequest {
        TaskRequest {
            pace: self.pace,
            shards: self.shards,
            ..TaskRequest::default()
        }
    }

    /// Returns the pace of the volunteer if it has sent the update of a task now.
    fn pace_after(&self, task: &OpenTask, now: Instant) -> VolunteerPace {
        let mut pace = self.pace;
        let since_update = self.updated.map(|updated| (now - updated).as_secs_f64());
        pace.record_task(task.images, (now - task.sent).as_secs_f64(), since_update);
        pace
    }

    /// Returns when the volunteer could begin its first open task: once it was sent, and the task before it closed.
    fn began(&self, first: &OpenTask) -> Instant {
        self.updated
            .map_or(first.sent, |updated| updated.max(first.sent))
    }

    /// Returns the largest number of tasks to have open; 0 while the volunteer rests or its next task is held.
    fn max_open(&self, now: Instant) -> usize {
        let is_later = |time: Option<Instant>| time.is_some_and(|time| time > now);
        if is_later(self.rests_until) || is_later(self.held_until) {
            return 0;
        }
        let is_fresh = |pinged| now - pinged < ROUND_TRIP_TTL;
        // With one open task, an update leaves the volunteer idle.
        if self.open.len() < MAX_OPEN_TASKS || self.pinged.is_some_and(is_fresh) {
            MAX_OPEN_TASKS
        } else {
            1
        }
    }

    /// Records an update that closed the first open task, and returns the time that the volunteer took for it.
    pub fn on_task_closed(&mut self, now: Instant) -> Duration {
        let Some(task) = self.open.pop_front() else {
            return Duration::ZERO;
        };
        self.pace = self.pace_after(&task, now);
        let began = self.began(&task);
        self.updated = Some(now);
        now.saturating_duration_since(began)
    }

    /// Returns when the first open task times out; `None` without one. The second counts from the update of the first.
    pub fn times_out(&self, timeout: Duration) -> Option<Instant> {
        self.open.front().map(|first| self.began(first) + timeout)
    }

    /// Returns when to send the next task to a volunteer without one, after `worked` for the last one.
    ///
    /// Its own rest ends when the task arrives there. The operator's effort and the limits of the egress are kept by the
    /// server's clock.
    pub fn resumes(&self, now: Instant, effort: Effort, worked: Duration) -> Instant {
        let delay = effort.delay_after(worked).unwrap_or_default();
        let round_trip = Duration::from_secs_f64(self.pace.round_trip_s().unwrap_or(0.0));
        let rest = self.rests_until.map_or(Duration::ZERO, |until| {
            until
                .saturating_duration_since(now)
                .saturating_sub(round_trip)
        });
        let resumes = now + delay.max(rest);
        self.held_until
            .map_or(resumes, |held_until| held_until.max(resumes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND_TRIP: Duration = Duration::from_millis(100);

    /// Returns the pacing of a volunteer on a line of 100 ms, without open tasks.
    fn distant(now: Instant) -> Pacing {
        let mut pacing = Pacing::new();
        (0..8).for_each(|_| pacing.on_round_trip(ROUND_TRIP, true));
        pacing.pinged = Some(now);
        pacing
    }

    fn send(pacing: &mut Pacing, id: u64, sent: Instant) {
        pacing.on_task_sent(TaskId(id), 128, sent);
    }

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn second_timeout_begins_with_update() {
        let start = Instant::now();
        let mut pacing = distant(start);
        assert_eq!(pacing.times_out(ms(1000)), None);
        send(&mut pacing, 1, start);
        send(&mut pacing, 2, start + ms(10));
        assert_eq!(pacing.times_out(ms(1000)), Some(start + ms(1000)));
        assert_eq!(pacing.on_task_closed(start + ms(300)), ms(300));
        assert_eq!(pacing.times_out(ms(1000)), Some(start + ms(1300)));
        assert_eq!(pacing.on_task_closed(start + ms(400)), ms(100));
        assert!(pacing.is_idle());
    }

    #[test]
    fn request_counts_the_update_once() {
        let start = Instant::now();
        let mut pacing = distant(start);
        send(&mut pacing, 1, start);
        let now = start + ms(110);
        let request = pacing.request(TaskId(1), now);
        assert_eq!(request.max_open, MAX_OPEN_TASKS);
        pacing.on_task_closed(now);
        assert_eq!(pacing.pace, request.pace);
        assert_eq!(request.pace.images_per_s().map(f64::round), Some(12_800.0));
        let other = pacing.request(TaskId(9), now);
        assert_eq!(other.pace, pacing.pace, "no open task");
    }

    #[test]
    fn rest_hides_the_round_trip() {
        let start = Instant::now();
        let mut pacing = distant(start);
        pacing.on_rest(ms(600), start);
        assert_eq!(pacing.request(TaskId(1), start).max_open, 0);
        assert_eq!(
            pacing.resumes(start, Effort::FULL, ms(200)),
            start + ms(500)
        );
        // The operator's effort does not depend on a round trip that the volunteer could lengthen.
        let half = "50".parse().expect("an effort");
        assert_eq!(pacing.resumes(start, half, ms(800)), start + ms(800));
        pacing.on_rest(Duration::MAX, start);
        let latest = start + MAX_REST;
        assert!(pacing.resumes(start, Effort::FULL, ms(1)) <= latest);
        pacing.on_rest(Duration::ZERO, start);
        assert_eq!(pacing.resumes(start, Effort::FULL, ms(1)), start);
    }

    #[test]
    fn held_task_waits_for_the_egress() {
        let start = Instant::now();
        let mut pacing = distant(start);
        send(&mut pacing, 1, start);
        pacing.hold(ms(400), start);
        assert_eq!(pacing.request(TaskId(1), start).max_open, 0);
        pacing.on_rest(ms(200), start);
        assert_eq!(pacing.resumes(start, Effort::FULL, ms(1)), start + ms(400));
        let later = start + ms(400);
        assert_eq!(pacing.request(TaskId(1), later).max_open, MAX_OPEN_TASKS);
        assert!(pacing.is_held(), "its bytes are reserved until it is sent");
        send(&mut pacing, 2, later);
        assert!(!pacing.is_held());
        pacing.hold(Duration::MAX, later);
        assert!(pacing.resumes(later, Effort::FULL, ms(1)) <= later + MAX_HOLD);
    }

    #[test]
    fn old_round_trip_is_measured_again() {
        let start = Instant::now();
        let mut pacing = distant(start);
        send(&mut pacing, 1, start);
        send(&mut pacing, 2, start);
        assert!(!pacing.ping_is_due(start + ms(9_000)), "it may compute");
        assert_eq!(pacing.request(TaskId(1), start + ms(9_000)).max_open, 2);
        assert_eq!(pacing.request(TaskId(1), start + ms(10_000)).max_open, 1);
        pacing.on_task_closed(start + ms(10_000));
        pacing.on_task_closed(start + ms(10_000));
        assert!(pacing.ping_is_due(start + ms(10_000)));
        assert!(!pacing.ping_is_due(start + ms(10_500)), "once a second");
    }

    #[test]
    fn unknown_round_trip_is_always_measured() {
        let start = Instant::now();
        let mut pacing = Pacing::new();
        assert!(!pacing.ping_is_due(start), "before the welcome");
        send(&mut pacing, 1, start);
        pacing.on_task_closed(start);
        assert!(pacing.ping_is_due(start) && pacing.ping_is_due(start));
        pacing.on_round_trip(ROUND_TRIP, false);
        assert_eq!(
            pacing.pace,
            VolunteerPace::default(),
            "it may have computed"
        );
    }
}
