//! Thousands of simulated volunteers over loopback: what the server needs, and where it ends.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use farsign_server::net::fd_limit::raise_nofile_limit;
use farsign_tests::server_process::ServerProcess;
use tokio::time::sleep;

use super::Timing;
use super::cell::{settings, start_server};
use super::data::FleetData;
use super::simulated::{Pace, SimulatedFleet};
use super::work::Work;
use crate::process::{Usage, available_memory_bytes, usage};
use crate::table::TableRow;

/// Time in which each volunteer makes an update.
const INTERVAL: Duration = Duration::from_secs(1);

/// Memory that stays free for other programs; volunteers join no further below it.
const MIN_AVAILABLE_BYTES: u64 = 3 << 30;

/// Time without a join after which no further one is expected.
const JOIN_TIMEOUT: Duration = Duration::from_secs(20);

/// Time between two looks at the joins.
const JOIN_POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Fraction of the intended updates below which the volunteers were not served.
const MIN_SERVED_FRACTION: f64 = 0.95;

/// Columns of the table: name and unit.
pub const COLUMNS: [(&str, &str); 10] = [
    ("joined", "volunteers"),
    ("joining took", "s"),
    ("updates", "per s"),
    ("down", "B per update"),
    ("server: CPU time", "µs per update"),
    ("server: one core", "%"),
    ("server: sent", "MB/s"),
    ("server: memory", "MB"),
    ("generator: one core", "%"),
    ("generator: memory", "MB"),
];

/// Everything counted at one time.
struct Sample {
    at: Instant,
    work: Work,
    accepted: u64,
    sent: u64,
    server: Usage,
    generator: Usage,
}

/// Measures a row. Returns the row and, if not all were served, the reason.
///
/// # Errors
///
/// Returns an error if the server fails or its status lacks a count.
pub async fn measure(
    volunteers: usize,
    timing: Timing,
    data: &FleetData,
) -> Result<(TableRow, Option<String>)> {
    raise_nofile_limit(volunteers)?;
    let mut settings = settings("plain", volunteers, false);
    settings.extend(data.settings.iter().cloned());
    let server = start_server(&settings);
    let pace = Pace::Interval(INTERVAL);
    let fleet = SimulatedFleet::start(server.address(), &data.shards, volunteers, pace);
    let (joining_s, limit) = wait_for_joins(&fleet, volunteers).await?;
    sleep(timing.warm_up).await;
    let before = sample(&fleet, &server)?;
    sleep(timing.window).await;
    let after = sample(&fleet, &server)?;
    let joined = fleet.connected();
    let mut values = vec![Some(joined as f64), Some(joining_s)];
    values.extend(figures(&before, &after).map(Some));
    let what = format!("{volunteers} volunteers");
    let reason = limit
        .or_else(|| fleet.first_end())
        .map(|reason| format!("of {volunteers}, {joined} stayed: {reason}"))
        .or_else(|| unserved(joined, &before, &after));
    Ok((TableRow { what, values }, reason))
}

/// Waits until all volunteers have joined, or no further one can. Returns the time in s and, if not all have, the reason.
async fn wait_for_joins(
    fleet: &SimulatedFleet,
    volunteers: usize,
) -> Result<(f64, Option<String>)> {
    let started = Instant::now();
    let mut last = (0, started);
    let limit = loop {
        let connected = fleet.connected();
        if connected > last.0 {
            last = (connected, Instant::now());
        }
        let available = available_memory_bytes()?;
        if connected >= volunteers {
            break None;
        } else if available < MIN_AVAILABLE_BYTES {
            let free = available / 1_000_000;
            break Some(format!("the machine had only {free} MB of memory left"));
        } else if last.1.elapsed() > JOIN_TIMEOUT {
            let seconds = JOIN_TIMEOUT.as_secs();
            let reason = fleet.first_end();
            let reason = reason.unwrap_or_else(|| format!("no further one joined in {seconds} s"));
            break Some(reason);
        }
        sleep(JOIN_POLL_INTERVAL).await;
    };
    fleet.stop_joins();
    Ok(((last.1 - started).as_secs_f64(), limit))
}

fn sample(fleet: &SimulatedFleet, server: &ServerProcess) -> Result<Sample> {
    let at = Instant::now();
    let status = server.status();
    let count = |path: &str| {
        let count = status.pointer(path).and_then(serde_json::Value::as_u64);
        count.with_context(|| format!("the status has no count at {path}"))
    };
    Ok(Sample {
        at,
        work: fleet.work(),
        accepted: count("/accepted")?,
        sent: count("/traffic/sent_bytes")?,
        server: usage(server.id())?,
        generator: usage(std::process::id())?,
    })
}

/// Returns the figures of a window, in the order of [`COLUMNS`] from the third on.
fn figures(before: &Sample, after: &Sample) -> [f64; 8] {
    let window_s = (after.at - before.at).as_secs_f64();
    let updates = (after.accepted - before.accepted).max(1) as f64;
    let sent = (after.sent - before.sent) as f64;
    let cpu_s = |before: Usage, after: Usage| after.cpu.saturating_sub(before.cpu).as_secs_f64();
    let server_s = cpu_s(before.server, after.server);
    let generator_s = cpu_s(before.generator, after.generator);
    [
        updates / window_s,
        sent / updates,
        server_s * 1e6 / updates,
        100.0 * server_s / window_s,
        sent / 1e6 / window_s,
        after.server.memory_bytes as f64 / 1e6,
        100.0 * generator_s / window_s,
        after.generator.memory_bytes as f64 / 1e6,
    ]
}

/// Describes a server that took fewer updates than intended; `None` if it took them.
fn unserved(joined: usize, before: &Sample, after: &Sample) -> Option<String> {
    let window_s = (after.at - before.at).as_secs_f64();
    let per_s = (after.work - before.work).accepted as f64 / window_s;
    let intended = joined as f64 / INTERVAL.as_secs_f64();
    (per_s < MIN_SERVED_FRACTION * intended).then(|| {
        let [.., server, _, _, generator, _] = figures(before, after);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        format!(
            "of {intended:.0} updates a second, {per_s:.0} were made: the server took {server:.0} % and the load \
             generator {generator:.0} % of one core, of {cores} cores"
        )
    })
}
