//! `GET /api/v1/status`. docs/http-api.md documents the fields.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::extract::State;
use axum::response::Json;
use farsign::estimate::Order;
use farsign::tolerance;
use serde::Serialize;

use crate::counters::VerificationCounters;
use crate::data::content::Content;
use crate::data::loader::TrainAndHeldOut;
use crate::evaluation::{History, Point};
use crate::http::dto::{self, Model};
use crate::net::egress::Egress;
use crate::state::AppState;

/// The status of a server.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    pub(super) run: Run,
    model: Model,
    data: Data,
    pub(super) volunteers: Volunteers,
    /// Number of the newest version.
    pub version: u64,
    /// Hash of the newest version, under which it can be requested.
    pub version_hash: String,
    /// Accepted updates.
    pub accepted: u64,
    /// Rejected updates by reason.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Sessions that the server ended, by reason.
    pub sessions_ended: BTreeMap<&'static str, u64>,
    /// Results of verification; all 0 under other rules.
    pub verification: Verification,
    pub(super) tolerance: Option<Tolerance>,
    /// Accepted updates per second over the last ten seconds.
    pub updates_per_s: f64,
    /// Evaluation on the held-out data.
    pub held_out: HeldOut,
    pub(super) traffic: Traffic,
    pub(super) egress: EgressStatus,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Run {
    id: String,
    phase: &'static str,
    pub(super) uptime_s: f64,
    order: &'static str,
    rule: &'static str,
    pub(super) progress: Option<f64>,
    pub(super) paused: bool,
    token_required: bool,
}

#[derive(Clone, Debug, Serialize)]
struct Data {
    #[serde(flatten)]
    size: dto::Data,
    content: Content,
    /// Size of all shards, which a volunteer downloads.
    download_bytes: u64,
}

impl From<&TrainAndHeldOut> for Data {
    fn from(data: &TrainAndHeldOut) -> Self {
        Self {
            size: dto::Data::from(data),
            content: data.content,
            download_bytes: data.shards.packed_bytes(),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Volunteers {
    pub(super) connected: usize,
    pub(super) active: usize,
}

/// Accuracy and loss over the run.
#[derive(Clone, Debug, Serialize)]
pub struct HeldOut {
    /// Newest accuracy, 0 to 1.
    pub accuracy: Option<f32>,
    /// Newest loss.
    pub loss: Option<f32>,
    /// Accepted updates in the evaluated model.
    pub at_accepted: Option<u64>,
    history: Vec<Point>,
}

/// An estimate from recent updates, not a certificate.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Tolerance {
    pub(super) sign_error: f64,
    pub(super) tolerated_fraction: f64,
}

impl From<tolerance::Tolerance> for Tolerance {
    fn from(estimate: tolerance::Tolerance) -> Self {
        Self {
            sign_error: estimate.sign_error,
            tolerated_fraction: estimate.tolerated_fraction,
        }
    }
}

/// Results of verification since the server started.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Verification {
    /// Verifications that found every update correct.
    pub passed: u64,
    /// Verifications that found a false update; each ejected a volunteer.
    pub failed: u64,
    /// Verifications skipped because the queue was full.
    pub skipped: u64,
    /// Recomputed updates.
    pub recomputed: u64,
    /// CPU time, in seconds.
    pub cpu_s: f64,
}

impl From<&VerificationCounters> for Verification {
    fn from(counters: &VerificationCounters) -> Self {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Self {
            passed: read(&counters.passed),
            failed: read(&counters.failed),
            skipped: read(&counters.skipped),
            recomputed: read(&counters.recomputed),
            cpu_s: read(&counters.cpu_us) as f64 / 1e6,
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Traffic {
    pub(super) received_bytes: u64,
    pub(super) sent_bytes: u64,
}

/// The bytes that all connections have received, and the limit.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct EgressStatus {
    /// Since the server started.
    pub(super) bytes: u64,
    /// Over the last ten seconds.
    pub(super) bytes_per_s: f64,
    /// `None` without a limit.
    pub(super) max_bytes_per_s: Option<u64>,
    /// The used fraction of the limit; above 1, tasks wait.
    pub(super) load: f64,
    /// Tasks that waited for a limit.
    pub(super) delayed_tasks: u64,
}

impl From<&Egress> for EgressStatus {
    fn from(egress: &Egress) -> Self {
        Self {
            bytes: egress.sent_bytes(),
            bytes_per_s: egress.bytes_per_s(),
            max_bytes_per_s: egress.limit().map(NonZeroU64::get),
            load: egress.load(Instant::now()),
            delayed_tasks: egress.delayed_tasks(),
        }
    }
}

impl Status {
    /// Collects the current status of the server.
    pub fn collect(state: &AppState) -> Self {
        let snapshot = state.gateway.snapshot();
        let newest = state.history.read(History::newest);
        let connected = state.session_count();
        Self {
            run: Run {
                id: format!("{:016x}", state.run.run_id),
                phase: if snapshot.is_finished() {
                    "finished"
                } else {
                    "training"
                },
                uptime_s: state.started.elapsed().as_secs_f64(),
                order: if state.run.order == Order::First {
                    "first"
                } else {
                    "zeroth"
                },
                rule: state.settings.rule,
                progress: snapshot.progress,
                paused: *state.admission.paused().borrow(),
                token_required: state.admission.needs_token(),
            },
            model: Model::from(&state.run.architecture),
            data: Data::from(&state.data),
            // The snapshot counted active volunteers when it was made. Volunteers that have left since are not active.
            volunteers: Volunteers {
                connected,
                active: snapshot.active.min(connected),
            },
            version: snapshot.version.number(),
            version_hash: snapshot.version.hash().to_string(),
            accepted: state.gateway.accepted(),
            rejected: state.counters.rejected_by_reason(),
            sessions_ended: state.counters.sessions_ended_by_reason(),
            verification: Verification::from(&*state.counters.verification),
            tolerance: snapshot.tolerance.map(Tolerance::from),
            updates_per_s: state.throughput.rate(),
            held_out: HeldOut {
                accuracy: newest.map(|point| point.accuracy),
                loss: newest.map(|point| point.loss),
                at_accepted: newest.map(|point| point.accepted),
                history: state.history.read(History::points),
            },
            traffic: Traffic {
                received_bytes: state.counters.received_bytes.load(Ordering::Relaxed),
                sent_bytes: state.counters.sent_bytes.load(Ordering::Relaxed),
            },
            egress: EgressStatus::from(&**state.admission.egress()),
        }
    }
}

/// Handles `GET /api/v1/status`.
pub(super) async fn status(State(state): State<Arc<AppState>>) -> Json<Status> {
    Json(Status::collect(&state))
}
