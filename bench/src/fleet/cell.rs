//! One server with volunteers behind a line: the figures of one row.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use farsign_tests::server_process::ServerProcess;
use farsign_tests::wait::{POLL_INTERVAL, TEST_TIMEOUT};
use tokio::time::sleep;

use super::Timing;
use super::data::FleetData;
use super::line::{Line, LineOptions};
use super::real::RealFleet;
use super::session::{ComputingTime, Session};
use super::simulated::{Pace, SimulatedFleet};
use super::work::Work;
use crate::process::{Usage, usage};
use crate::table::TableRow;

/// Volunteers of a row that compute.
const COMPUTING: usize = 4;

/// Columns of the table: name and unit.
pub const COLUMNS: [(&str, &str); 13] = [
    ("updates, computing", "per s each"),
    ("updates, simulated", "per s each"),
    ("images", "per update"),
    ("down", "B per update"),
    ("up", "B per update"),
    ("down each", "kB/s"),
    ("up each", "kB/s"),
    ("busy, computing", "%"),
    ("busy, simulated", "%"),
    ("server: CPU time", "µs per update"),
    ("server: one core", "%"),
    ("server: sent", "MB/s"),
    ("server: memory", "MB"),
];

/// The conditions of a row.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    /// Rule of the server, as its setting.
    pub rule: &'static str,
    /// Number of volunteers, at least as many as compute.
    pub volunteers: usize,
    /// Round trip of the line, in ms.
    pub round_trip_ms: u64,
    /// Effort in percent, 1 to 100.
    pub effort: u32,
}

impl Cell {
    /// Describes the row.
    pub fn name(&self) -> String {
        let Self {
            rule,
            volunteers,
            round_trip_ms,
            effort,
        } = self;
        format!("{rule}, {volunteers} volunteers, {round_trip_ms} ms, effort {effort} %")
    }

    fn simulated(&self) -> usize {
        self.volunteers - COMPUTING
    }

    /// Returns the rest after computing, as a multiple of its time.
    fn rest(&self) -> f64 {
        100.0 / f64::from(self.effort) - 1.0
    }
}

/// Returns the settings of a server for this many volunteers, whose run does not end.
pub fn settings(rule: &str, volunteers: usize, evaluates: bool) -> Vec<String> {
    let volunteers = (volunteers + 16).to_string();
    let never = u32::MAX.to_string();
    let mut settings = vec![
        ["--rule", rule],
        ["--horizon", "1e8"],
        ["--joins-per-minute", "1000000"],
        ["--max-volunteers", &volunteers],
        ["--max-volunteers-per-address", &volunteers],
        ["--max-connections-per-address", "100000"],
    ];
    if !evaluates {
        settings.push(["--evaluate-every", &never]);
    }
    settings
        .iter()
        .flatten()
        .map(|&part| part.to_owned())
        .collect()
}

/// Starts a server with these settings.
pub fn start_server(settings: &[String]) -> ServerProcess {
    ServerProcess::start(&settings.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A fleet behind lines to a server.
struct Fleet {
    // In the order in which they end.
    real: RealFleet,
    simulated: SimulatedFleet,
    lines: [Line; 2],
    server: ServerProcess,
}

/// Everything counted at one time.
struct Sample {
    at: Instant,
    real: Work,
    simulated: Work,
    /// Bytes up and down of the line of the volunteers that compute.
    of_real: [u64; 2],
    /// Bytes down of both lines.
    sent: u64,
    accepted: u64,
    server: Usage,
}

/// Measures a row. Returns the row, and the time of computing that the simulated volunteers wait.
///
/// # Errors
///
/// Returns an error if a volunteer does not join, or ends.
pub async fn measure(
    cell: &Cell,
    timing: Timing,
    data: &FleetData,
) -> Result<(TableRow, ComputingTime)> {
    let mut settings = settings(cell.rule, cell.volunteers, false);
    settings.extend(data.settings.iter().cloned());
    if cell.simulated() > 0 && cell.rule == "verified" {
        // Simulated updates would fail verification.
        settings.extend(["--verify-probability", "1e-12"].map(str::to_owned));
    }
    let server = start_server(&settings);
    let alone = Session::join(server.address(), data.shards.clone(), u64::MAX).await?;
    let time = alone.measure_computing()?;
    let line = LineOptions {
        round_trip: Duration::from_millis(cell.round_trip_ms),
        bytes_per_s: None,
    };
    let lines = [
        Line::start(server.address(), line).await?,
        Line::start(server.address(), line).await?,
    ];
    let rest = cell.rest();
    let pace = Pace::Computing { time, rest };
    let fleet = Fleet {
        real: RealFleet::start(lines[0].address(), COMPUTING, cell.effort)?,
        simulated: SimulatedFleet::start(lines[1].address(), &data.shards, cell.simulated(), pace),
        lines,
        server,
    };
    fleet.wait_until_joined(cell).await?;
    sleep(timing.warm_up).await;
    let before = fleet.sample()?;
    sleep(timing.window).await;
    let after = fleet.sample()?;
    fleet.check(cell)?;
    let values = figures(cell, &before, &after)?;
    let what = cell.name();
    Ok((TableRow { what, values }, time))
}

impl Fleet {
    async fn wait_until_joined(&self, cell: &Cell) -> Result<()> {
        let started = Instant::now();
        while self.real.connected() < COMPUTING || self.simulated.connected() < cell.simulated() {
            if started.elapsed() > TEST_TIMEOUT {
                bail!("timed out waiting for all volunteers to join");
            }
            if let Some(reason) = self.simulated.first_end() {
                bail!("a simulated volunteer ended: {reason}");
            }
            sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }

    /// Fails unless all volunteers still have their sessions.
    fn check(&self, cell: &Cell) -> Result<()> {
        let connected = [self.real.connected(), self.simulated.connected()];
        let expected = [COMPUTING, cell.simulated()];
        if connected != expected {
            let reason = self.simulated.first_end().unwrap_or_default();
            bail!(
                "expected {expected:?} computing and simulated volunteers, found {connected:?} {reason}"
            );
        }
        Ok(())
    }

    fn sample(&self) -> Result<Sample> {
        let carried = self.lines.each_ref().map(Line::carried);
        let up = |line: usize| carried[line].iter().map(|carried| carried.up).sum::<u64>();
        let down = |line: usize| {
            carried[line]
                .iter()
                .map(|carried| carried.down)
                .sum::<u64>()
        };
        Ok(Sample {
            at: Instant::now(),
            real: self.real.work(),
            simulated: self.simulated.work(),
            of_real: [up(0), down(0)],
            sent: down(0) + down(1),
            server: usage(self.server.id())?,
            accepted: accepted(&self.server)?,
        })
    }
}

/// Returns the number of updates that a server has accepted.
///
/// # Errors
///
/// Returns an error if its status has no such number.
pub fn accepted(server: &ServerProcess) -> Result<u64> {
    let accepted = server.status()["accepted"].as_u64();
    accepted.context("the status has no accepted updates")
}

/// Returns the figures of a window, in the order of [`COLUMNS`].
fn figures(cell: &Cell, before: &Sample, after: &Sample) -> Result<Vec<Option<f64>>> {
    let window = after.at - before.at;
    let window_s = window.as_secs_f64();
    let real = after.real - before.real;
    let simulated = after.simulated - before.simulated;
    let count = cell.simulated();
    if real.accepted == 0 || real.computed == 0 {
        bail!("no update was accepted within {window_s:.1} s");
    }
    let of_simulated = |value: f64| (count > 0).then_some(value);
    let per_update = |bytes: u64| bytes as f64 / real.accepted as f64;
    let each_kb_per_s = |bytes: u64| bytes as f64 / 1e3 / window_s / COMPUTING as f64;
    let [up, down] = [0, 1].map(|way| after.of_real[way] - before.of_real[way]);
    let percent = |fraction: Option<f64>| fraction.map(|fraction| 100.0 * fraction);
    let cpu_s = (after.server.cpu.saturating_sub(before.server.cpu)).as_secs_f64();
    let accepted = after.accepted - before.accepted;
    Ok(vec![
        Some(real.accepted as f64 / window_s / COMPUTING as f64),
        of_simulated(simulated.accepted as f64 / window_s / count as f64),
        Some(real.images as f64 / real.computed as f64),
        Some(per_update(down)),
        Some(per_update(up)),
        Some(each_kb_per_s(down)),
        Some(each_kb_per_s(up)),
        percent(real.busy(COMPUTING, window)),
        percent(simulated.busy(count, window)),
        Some(cpu_s * 1e6 / accepted.max(1) as f64),
        Some(100.0 * cpu_s / window_s),
        Some((after.sent - before.sent) as f64 / 1e6 / window_s),
        Some(after.server.memory_bytes as f64 / 1e6),
    ])
}
