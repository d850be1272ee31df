//! `/api/v1/status`: what the page and other tools read. docs/protocol.md lists the fields.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use farsign::estimate::Order;
use farsign::model::Architecture;
use farsign::optimizer::Rule;
use farsign::safety;
use serde::Serialize;

use crate::app::App;
use crate::coordinator::CheckCounters;
use crate::dataset_source::TrainAndHeldOut;
use crate::evaluation::{History, Point};

/// The whole answer.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    pub(crate) run: Run,
    model: Model,
    data: Data,
    pub(crate) volunteers: Volunteers,
    /// Accepted contributions.
    pub accepted: u64,
    /// Rejected answers by reason.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Sessions the server ended, by reason.
    pub ended: BTreeMap<&'static str, u64>,
    /// Answers computed again.
    pub checks: Checks,
    pub(crate) safety: Option<Safety>,
    /// Accepted contributions per second, over the last ten seconds.
    pub contributions_per_s: f64,
    /// Evaluation on the held-out data.
    pub held_out: HeldOut,
    pub(crate) traffic: Traffic,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Run {
    id: String,
    phase: &'static str,
    pub(crate) uptime_s: f64,
    order: &'static str,
    rule: &'static str,
    pub(crate) progress: Option<f64>,
    pub(crate) paused: bool,
    token_required: bool,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Model {
    name: String,
    layers: Vec<usize>,
    parameters: usize,
}

impl Model {
    pub(crate) fn of(architecture: &Architecture) -> Self {
        Self {
            name: architecture.to_string(),
            layers: architecture.widths().to_vec(),
            parameters: architecture.parameters(),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Data {
    name: String,
    train_count: usize,
    held_out_count: usize,
    rows: usize,
    cols: usize,
    classes: usize,
}

impl Data {
    pub(crate) fn of(data: &TrainAndHeldOut) -> Self {
        Self {
            name: data.name.clone(),
            train_count: data.train.len(),
            held_out_count: data.held_out.len(),
            rows: data.train.rows(),
            cols: data.train.cols(),
            classes: data.train.classes(),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Volunteers {
    pub(crate) connected: usize,
    pub(crate) active: usize,
}

/// Accuracy and loss over the run.
#[derive(Clone, Debug, Serialize)]
pub struct HeldOut {
    /// Newest accuracy, 0 to 1.
    pub accuracy: Option<f32>,
    /// Newest loss.
    pub loss: Option<f32>,
    /// Accepted contributions in the model these are of.
    pub at_accepted: Option<u64>,
    history: Vec<Point>,
}

/// An estimate from the answers of late, never a certificate.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Safety {
    pub(crate) sign_error: f64,
    pub(crate) tolerated_share: f64,
}

impl From<safety::Safety> for Safety {
    fn from(safety::Safety { sign_error, tolerated_share }: safety::Safety) -> Self {
        Self { sign_error, tolerated_share }
    }
}

/// What checks found since the server started; all 0 where there are none.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Checks {
    /// Checks that found every answer right.
    pub passed: u64,
    /// Checks that found a wrong one; each has removed a volunteer.
    pub failed: u64,
    /// Checks given up because too many were waiting.
    pub skipped: u64,
    /// Answers computed again.
    pub recomputed: u64,
    /// Seconds of a core that took.
    pub busy_s: f64,
}

impl Checks {
    fn of(counters: &CheckCounters) -> Self {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Self {
            passed: read(&counters.passed),
            failed: read(&counters.failed),
            skipped: read(&counters.skipped),
            recomputed: read(&counters.recomputed),
            busy_s: read(&counters.busy_us) as f64 / 1e6,
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Traffic {
    pub(crate) received_bytes: u64,
    pub(crate) sent_bytes: u64,
}

impl Status {
    /// The state of the server now.
    pub fn of(app: &App) -> Self {
        let snapshot = app.coordinator.snapshot();
        let run = &app.config.run;
        let newest = app.history.read(History::newest);
        let connected = app.connected();
        Self {
            run: Run {
                id: format!("{:016x}", run.run_id),
                phase: if snapshot.is_finished() { "finished" } else { "training" },
                uptime_s: app.started.elapsed().as_secs_f64(),
                order: if run.order == Order::First { "first" } else { "zeroth" },
                rule: match (app.config.assignment.rule, app.config.checks) {
                    (Rule::Plain, Some(_)) => "verified",
                    (Rule::Plain, None) => "plain",
                    (Rule::Vote { .. }, _) => "vote",
                },
                progress: snapshot.progress,
                paused: *app.admission.paused().borrow(),
                token_required: app.admission.needs_token(),
            },
            model: Model::of(&run.architecture),
            data: Data::of(&app.data),
            // The snapshot's count is of its own moment; whoever has left since is not active any more.
            volunteers: Volunteers { connected, active: snapshot.active.min(connected) },
            accepted: snapshot.accepted,
            rejected: app.counters.rejects_by_reason(),
            ended: app.counters.goodbyes_by_reason(),
            checks: Checks::of(&app.counters.checks),
            safety: snapshot.safety.map(Safety::from),
            contributions_per_s: app.rate.per_second(),
            held_out: HeldOut {
                accuracy: newest.map(|point| point.accuracy),
                loss: newest.map(|point| point.loss),
                at_accepted: newest.map(|point| point.accepted),
                history: app.history.read(History::points),
            },
            traffic: Traffic {
                received_bytes: app.counters.received_bytes.load(Ordering::Relaxed),
                sent_bytes: app.counters.sent_bytes.load(Ordering::Relaxed),
            },
        }
    }
}

/// Rate of accepted contributions over the last ten seconds.
#[derive(Debug, Default)]
pub struct Rate {
    /// A sample a second: when, and how many had been accepted.
    samples: Mutex<VecDeque<(Instant, u64)>>,
}

impl Rate {
    /// Seconds a rate looks back.
    const WINDOW: usize = 10;

    /// Takes a sample; called once a second.
    pub fn sample(&self, now: Instant, accepted: u64) {
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        if samples.len() > Self::WINDOW {
            samples.pop_front();
        }
        samples.push_back((now, accepted));
    }

    /// Accepted contributions per second; 0 before the second sample.
    pub fn per_second(&self) -> f64 {
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(oldest), Some(newest)) = (samples.front(), samples.back()) else { return 0.0 };
        let span: Duration = newest.0 - oldest.0;
        if span.is_zero() { 0.0 } else { (newest.1 - oldest.1) as f64 / span.as_secs_f64() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_looks_back_ten_seconds() {
        let (rate, start) = (Rate::default(), Instant::now());
        assert_eq!(rate.per_second(), 0.0);
        let at = |second: u64| start + Duration::from_secs(second);
        (0..=30).for_each(|second| rate.sample(at(second), if second < 20 { 0 } else { (second - 20) * 7 }));
        assert_eq!(rate.per_second(), 7.0);
    }
}
