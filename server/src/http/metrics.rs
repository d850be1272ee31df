//! `GET /metrics`: the status and operator metrics in Prometheus' text format. docs/reference/metrics.md lists them.
//!
//! Nothing is counted here. Every metric is read on request and belongs to one server, of which a process may run
//! several. Label values are only the names of reasons.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::Registry;

use crate::http::status::Status;
use crate::state::AppState;

/// Handles `GET /metrics`.
pub(super) async fn metrics(State(state): State<Arc<AppState>>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, prometheus_text::CONTENT_TYPE)],
        render(&state),
    )
}

/// Renders all current metrics of a server.
pub fn render(state: &AppState) -> String {
    let mut registry = Registry::with_prefix("farsign");
    registry.register_collector(Box::new(MetricSet::collect(state)));
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry).expect("writing to a string succeeds");
    text
}

/// A metric with its current values.
#[derive(Debug)]
struct Metric {
    /// The name without its prefix `farsign_`, and without the suffix `_total` of a counter.
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    values: MetricValues,
}

#[derive(Debug)]
enum MetricValues {
    /// One value; `None` if it is unknown, so that only the description is rendered.
    One(Option<f64>),
    ByReason(BTreeMap<&'static str, u64>),
}

/// All metrics of a server.
#[derive(Debug, Default)]
struct MetricSet(Vec<Metric>);

impl MetricSet {
    fn collect(state: &AppState) -> Self {
        let status = Status::collect(state);
        let mut metrics = Self::default();
        metrics.collect_run(state, &status);
        metrics.collect_volunteers(state, &status);
        metrics.collect_updates(&status);
        metrics.collect_journal(state);
        metrics
    }

    fn collect_run(&mut self, state: &AppState, status: &Status) {
        let snapshot = state.gateway.snapshot();
        let started = state
            .started_at
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let held_out = &status.held_out;
        self.gauge(
            "start_time_seconds",
            "Start of the server, since the Unix epoch",
            started.as_secs_f64(),
        );
        self.gauge(
            "uptime_seconds",
            "Time since the server started",
            status.run.uptime_s,
        );
        self.gauge(
            "paused",
            "1 while the run is paused",
            f64::from(u8::from(status.run.paused)),
        );
        self.gauge_if_known(
            "progress_ratio",
            "Completed fraction of the planned updates",
            status.run.progress,
        );
        self.gauge_if_known(
            "held_out_accuracy_ratio",
            "Accuracy on the held-out images",
            held_out.accuracy.map(f64::from),
        );
        self.gauge_if_known(
            "held_out_loss_nats",
            "Mean loss on the held-out images",
            held_out.loss.map(f64::from),
        );
        self.gauge(
            "snapshot_version",
            "Version of the newest snapshot",
            snapshot.version.number() as f64,
        );
        self.gauge(
            "snapshot_age_seconds",
            "Age of the newest snapshot",
            snapshot.made.elapsed().as_secs_f64(),
        );
    }

    fn collect_volunteers(&mut self, state: &AppState, status: &Status) {
        let traffic = &status.traffic;
        self.gauge(
            "connections",
            "Open connections",
            state.connections.in_use() as f64,
        );
        self.gauge(
            "sessions",
            "Open sessions",
            status.volunteers.connected as f64,
        );
        self.gauge(
            "active_volunteers",
            "Volunteers with recently accepted updates",
            status.volunteers.active as f64,
        );
        self.by_reason(
            "sessions_ended",
            "Sessions that the server ended",
            &status.sessions_ended,
        );
        self.gauge_if_known(
            "ban_file_failing",
            "1 while the newest bans could not be written to the ban file",
            state
                .admission
                .is_ban_file_failing()
                .map(|is_failing| f64::from(u8::from(is_failing))),
        );
        self.counter(
            "client_addresses_unread",
            "Sessions whose trusted proxy named no client",
            state.admission.count_unread_addresses() as f64,
        );
        self.counter(
            "received_bytes",
            "Bytes received from volunteers",
            traffic.received_bytes as f64,
        );
        self.counter(
            "sent_bytes",
            "Bytes sent to volunteers",
            traffic.sent_bytes as f64,
        );
        self.collect_egress(status);
    }

    fn collect_egress(&mut self, status: &Status) {
        let egress = status.egress;
        self.counter(
            "egress_bytes",
            "Bytes sent on all connections",
            egress.bytes as f64,
        );
        self.gauge(
            "egress_bytes_per_second",
            "Bytes sent a second on all connections, over the last ten seconds",
            egress.bytes_per_s,
        );
        self.gauge_if_known(
            "egress_max_bytes_per_second",
            "Limit on the bytes sent a second",
            egress.max_bytes_per_s.map(|bytes| bytes as f64),
        );
        self.gauge(
            "egress_load_ratio",
            "Used fraction of the limit; above 1, tasks wait for it",
            egress.load,
        );
        self.counter(
            "egress_delayed_tasks",
            "Tasks that waited for a limit on sent bytes",
            egress.delayed_tasks as f64,
        );
    }

    fn collect_updates(&mut self, status: &Status) {
        let verification = &status.verification;
        self.counter(
            "updates_accepted",
            "Updates applied since the run began",
            status.accepted as f64,
        );
        self.by_reason("updates_rejected", "Updates not applied", &status.rejected);
        self.gauge_if_known(
            "sign_error_ratio",
            "Estimated sign error rate of honest updates",
            status.tolerance.map(|tolerance| tolerance.sign_error),
        );
        self.gauge_if_known(
            "byzantine_tolerance_ratio",
            "Estimated Byzantine fraction (by weight) the run tolerates",
            status
                .tolerance
                .map(|tolerance| tolerance.tolerated_fraction),
        );
        self.counter(
            "verifications_passed",
            "Verifications that found every update correct",
            verification.passed as f64,
        );
        self.counter(
            "verifications_failed",
            "Verifications that found a false update",
            verification.failed as f64,
        );
        self.counter(
            "verifications_skipped",
            "Verifications skipped because the queue was full",
            verification.skipped as f64,
        );
        self.counter(
            "verification_recomputed_updates",
            "Recomputed updates",
            verification.recomputed as f64,
        );
        self.counter(
            "verification_cpu_seconds",
            "CPU time spent on verification",
            verification.cpu_s,
        );
    }

    fn collect_journal(&mut self, state: &AppState) {
        let journal = state.journal.as_deref();
        let commits = journal.map(|journal| journal.commits.load(Ordering::Relaxed) as f64);
        let bytes = journal.map(|journal| journal.log_bytes.load(Ordering::Relaxed) as f64);
        self.add(
            "journal_commits",
            "Durable batches",
            MetricType::Counter,
            MetricValues::One(commits),
        );
        self.gauge_if_known(
            "journal_bytes",
            "Size of saved updates and checkpoints",
            bytes,
        );
    }

    fn gauge(&mut self, name: &'static str, help: &'static str, value: f64) {
        self.gauge_if_known(name, help, Some(value));
    }

    fn gauge_if_known(&mut self, name: &'static str, help: &'static str, value: Option<f64>) {
        self.add(name, help, MetricType::Gauge, MetricValues::One(value));
    }

    fn counter(&mut self, name: &'static str, help: &'static str, value: f64) {
        self.add(
            name,
            help,
            MetricType::Counter,
            MetricValues::One(Some(value)),
        );
    }

    fn by_reason(
        &mut self,
        name: &'static str,
        help: &'static str,
        counts: &BTreeMap<&'static str, u64>,
    ) {
        self.add(
            name,
            help,
            MetricType::Counter,
            MetricValues::ByReason(counts.clone()),
        );
    }

    fn add(
        &mut self,
        name: &'static str,
        help: &'static str,
        kind: MetricType,
        values: MetricValues,
    ) {
        self.0.push(Metric {
            name,
            help,
            kind,
            values,
        });
    }
}

const NO_EXEMPLAR: Option<&Exemplar<NoLabelSet, f64>> = None;

impl Collector for MetricSet {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        for Metric {
            name,
            help,
            kind,
            values,
        } in &self.0
        {
            let mut metric = encoder.encode_descriptor(name, help, None, *kind)?;
            match (values, kind) {
                (MetricValues::One(None), _) => {}
                (MetricValues::One(Some(value)), MetricType::Counter) => {
                    metric.encode_counter(value, NO_EXEMPLAR)?;
                }
                (MetricValues::One(Some(value)), _) => metric.encode_gauge(value)?,
                (MetricValues::ByReason(counts), _) => {
                    for (reason, count) in counts {
                        let labels = [("reason", *reason)];
                        metric
                            .encode_family(&labels)?
                            .encode_counter(count, NO_EXEMPLAR)?;
                    }
                }
            }
        }
        Ok(())
    }
}
