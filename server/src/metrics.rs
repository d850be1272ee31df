//! `GET /metrics`: the figures of the status, and some that only hosts need, in Prometheus' text format. docs/hosting.md
//! lists them.
//!
//! Nothing is counted here: every figure is read when it is asked for, and belongs to one server, of which there may be
//! several in a process. Labels have the names of reasons as values, and nothing else.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::Registry;

use crate::app::App;
use crate::status::Status;

pub use prometheus_text::CONTENT_TYPE;

/// Every figure of a server now, as text.
pub fn render(app: &App) -> String {
    let mut registry = Registry::with_prefix("farsign");
    registry.register_collector(Box::new(Figures::of(app)));
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry).expect("a string takes whatever is written");
    text
}

/// One figure.
#[derive(Debug)]
struct Figure {
    /// Behind `farsign_`; of a counter without its `_total`.
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    values: Values,
}

#[derive(Debug)]
enum Values {
    /// None where it is not known: then only the description is there.
    One(Option<f64>),
    ByReason(BTreeMap<&'static str, u64>),
}

#[derive(Debug, Default)]
struct Figures(Vec<Figure>);

impl Figures {
    fn of(app: &App) -> Self {
        let (status, mut figures) = (Status::of(app), Self::default());
        figures.add_run(app, &status);
        figures.add_volunteers(app, &status);
        figures.add_answers(&status);
        figures.add_saved(app);
        figures
    }

    fn add_run(&mut self, app: &App, status: &Status) {
        let snapshot = app.coordinator.snapshot();
        let started = app.started_at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let held_out = &status.held_out;
        self.gauge("start_time_seconds", "When the server started, since 1970", started.as_secs_f64());
        self.gauge("uptime_seconds", "Time since then", status.run.uptime_s);
        self.gauge("paused", "1 while the host pauses the run", f64::from(u8::from(status.run.paused)));
        self.maybe("progress_ratio", "Share of the planned contributions that are done", status.run.progress);
        self.maybe(
            "held_out_accuracy_ratio",
            "Accuracy on images nobody trains on",
            held_out.accuracy.map(f64::from),
        );
        self.maybe("held_out_loss_nats", "Mean loss on them", held_out.loss.map(f64::from));
        self.gauge("snapshot_version", "Version of the newest snapshot", snapshot.version as f64);
        self.gauge("snapshot_age_seconds", "Time since it was made", snapshot.made.elapsed().as_secs_f64());
    }

    fn add_volunteers(&mut self, app: &App, status: &Status) {
        let traffic = &status.traffic;
        self.gauge("connections", "Connections open now", app.connections.taken() as f64);
        self.gauge("sessions", "Sessions open now", status.volunteers.connected as f64);
        self.gauge(
            "active_volunteers",
            "Volunteers whose answers were accepted lately",
            status.volunteers.active as f64,
        );
        self.by_reason("ended", "Sessions that the server ended", &status.ended);
        self.counter("received_bytes", "Bytes that came from volunteers", traffic.received_bytes as f64);
        self.counter("sent_bytes", "Bytes that went to volunteers", traffic.sent_bytes as f64);
    }

    fn add_answers(&mut self, status: &Status) {
        let checks = &status.checks;
        self.counter("accepted", "Answers applied since the run began", status.accepted as f64);
        self.by_reason("rejected", "Answers not applied", &status.rejected);
        self.maybe(
            "sign_error_ratio",
            "Estimate: how often honest answers are wrong about a sign",
            status.safety.map(|safety| safety.sign_error),
        );
        self.maybe(
            "tolerated_liars_ratio",
            "Estimate: the share of the weight that may lie and is outvoted",
            status.safety.map(|safety| safety.tolerated_share),
        );
        self.counter("checks_passed", "Checks that found every answer right", checks.passed as f64);
        self.counter("checks_failed", "Checks that found a wrong answer", checks.failed as f64);
        self.counter("checks_skipped", "Checks given up for want of room", checks.skipped as f64);
        self.counter("checks_recomputed", "Answers computed again", checks.recomputed as f64);
        self.counter("checks_seconds", "Time of a core that checks took", checks.busy_s);
    }

    fn add_saved(&mut self, app: &App) {
        let saved = app.saved.as_deref();
        let commits = saved.map(|saved| saved.commits.load(Ordering::Relaxed) as f64);
        let bytes = saved.map(|saved| saved.log_bytes.load(Ordering::Relaxed) as f64);
        self.add("saved_commits", "Batches saved", MetricType::Counter, Values::One(commits));
        self.maybe("saved_log_bytes", "Bytes of contributions and checkpoints that are kept", bytes);
    }

    fn gauge(&mut self, name: &'static str, help: &'static str, value: f64) {
        self.maybe(name, help, Some(value));
    }

    fn maybe(&mut self, name: &'static str, help: &'static str, value: Option<f64>) {
        self.add(name, help, MetricType::Gauge, Values::One(value));
    }

    fn counter(&mut self, name: &'static str, help: &'static str, value: f64) {
        self.add(name, help, MetricType::Counter, Values::One(Some(value)));
    }

    fn by_reason(&mut self, name: &'static str, help: &'static str, counts: &BTreeMap<&'static str, u64>) {
        self.add(name, help, MetricType::Counter, Values::ByReason(counts.clone()));
    }

    fn add(&mut self, name: &'static str, help: &'static str, kind: MetricType, values: Values) {
        self.0.push(Figure { name, help, kind, values });
    }
}

/// A sample says only what it is.
const NO_EXEMPLAR: Option<&Exemplar<NoLabelSet, f64>> = None;

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        for Figure { name, help, kind, values } in &self.0 {
            let mut metric = encoder.encode_descriptor(name, help, None, *kind)?;
            match (values, kind) {
                (Values::One(None), _) => {}
                (Values::One(Some(value)), MetricType::Counter) => {
                    metric.encode_counter(value, NO_EXEMPLAR)?;
                }
                (Values::One(Some(value)), _) => metric.encode_gauge(value)?,
                (Values::ByReason(counts), _) => {
                    for (reason, count) in counts {
                        let labels = [("reason", *reason)];
                        metric.encode_family(&labels)?.encode_counter(count, NO_EXEMPLAR)?;
                    }
                }
            }
        }
        Ok(())
    }
}
