//! Section `server`: throughput and CPU time of the server, next to an echo of the same frames.

mod echo;
mod load;

use std::time::Duration;

use anyhow::{Context as _, Result};
use farsign_bench_check::bounds::Bound;
use farsign_bench_check::verdict::Verdict;
use farsign_tests::server_process::ServerProcess;
use serde_json::Value;

use crate::machine::Machine;
use crate::process::usage;
use crate::report::{Ratio, Row, Section};

use echo::Echo;
use load::{Load, LoadOptions};

pub use echo::{requested as echo_requested, serve as serve_echo};

/// Name of the section.
pub const NAME: &str = "server";
/// Number of concurrent connections.
const CLIENTS: usize = 64;
/// Samples of the section.
const SECTION: Sampling = Sampling {
    rounds: 7,
    window: Duration::from_secs(2),
    warm_up: Duration::from_millis(500),
};
/// Samples of a check.
const CHECK: Sampling = Sampling {
    rounds: 3,
    window: Duration::from_millis(700),
    warm_up: Duration::from_millis(300),
};

/// Models, their number of parameters, and the target of the ratio.
const MODELS: [(&str, usize, Option<&str>); 2] = [
    ("softmax", 7_850, Some("at most 1.25")),
    ("mlp", 101_770, None),
];

const ABOUT: &str = "\
64 clients on loopback send an update as soon as they receive a task, without computing it. The echo is \
tokio-tungstenite alone, in a separate process: it receives the same updates and replies with the server's average \
number of bytes, which is nearly a full snapshot for 64 clients. The two alternate. Measured are the CPU time of the \
process per exchange, including its part in the kernel, and the exchanges per second, with the clients on the same \
cores. The rule is `plain`: `verified` adds work that `--verify-cpu-fraction` bounds and that runs on another \
thread.

The kernel's send and receive path limits both. The server adds the optimizer step, a snapshot for every 16th of the \
volunteers, the encoding of the frame, and two switches between asynchronous tasks per update.";

/// Measures the section.
///
/// # Errors
///
/// Returns an error if a server fails or a client is rejected.
pub fn run(_: &Machine) -> Result<Section> {
    let mut rows = Vec::new();
    let mut ratios = Vec::new();
    for (model, directions, target) in MODELS {
        eprintln!("  {model}");
        let Measurement { server, echo } = measure(model, directions, SECTION)?;
        let cpu = [("server", &server), ("echo", &echo)].map(|(name, contender)| {
            let of = format!("{name}, {model}, d = {directions}");
            rows.push(Row::new(
                format!("{of}: exchanges"),
                "per s",
                &contender.per_s,
            ));
            Row::new(
                format!("{of}: CPU time per exchange"),
                "µs",
                &contender.cpu_us,
            )
        });
        let what = format!("{model}: CPU time, server over echo");
        ratios.push(Ratio::new(what, &cpu[0], &cpu[1], target));
        rows.extend(cpu);
    }
    let title = "The server next to a bare echo".to_owned();
    Ok(Section {
        name: NAME,
        title,
        about: ABOUT.to_owned(),
        tables: Vec::new(),
        rows,
        ratios,
    })
}

/// Compares the ratios of CPU times, each of the least disturbed samples, with their bounds.
///
/// # Errors
///
/// Returns an error if a server fails or a client is rejected.
pub fn check() -> Result<Vec<Verdict>> {
    let fastest = |samples: &[f64]| samples.iter().copied().fold(f64::INFINITY, f64::min);
    let verdict = |&(model, directions, _): &(&str, usize, _)| {
        let bound = Bound::of(&format!("server, model `{model}`"));
        Verdict::measure(bound.what(), bound.widest, || {
            let Measurement { server, echo } = measure(model, directions, CHECK)?;
            Ok(fastest(&server.cpu_us) / fastest(&echo.cpu_us))
        })
    };
    MODELS.iter().map(verdict).collect()
}

/// The number of samples of each contender, taken in alternation, and their durations.
#[derive(Clone, Copy, Debug)]
struct Sampling {
    rounds: usize,
    window: Duration,
    /// Before a sample.
    warm_up: Duration,
}

/// The samples of one contender.
#[derive(Debug, Default)]
struct Contender {
    /// Exchanges per second.
    per_s: Vec<f64>,
    /// CPU time per exchange, in microseconds.
    cpu_us: Vec<f64>,
}

/// The samples of both contenders.
#[derive(Debug, Default)]
struct Measurement {
    server: Contender,
    echo: Contender,
}

fn measure(model: &str, directions: usize, sampling: Sampling) -> Result<Measurement> {
    let never = u32::MAX.to_string();
    // A run without an end or evaluations, with negligible steps and no limit of joins.
    let settings = [
        "--schedule",
        "constant",
        "--alpha",
        "1e-7",
        "--rule",
        "plain",
        "--evaluate-every",
        &never,
    ];
    let settings = [&settings[..], &["--joins-per-minute", "1000000"]].concat();
    let server = ServerProcess::start(&[&["--model", model], &settings[..]].concat());
    let options = LoadOptions {
        address: server.address(),
        clients: CLIENTS,
        directions,
    };
    let echo = Echo::start(reply_bytes(&server, options, sampling)?)?;
    let echo_options = LoadOptions {
        address: echo.address,
        ..options
    };
    let mut measurement = Measurement::default();
    for _ in 0..sampling.rounds {
        sample(
            &mut measurement.server,
            server.id(),
            Load::volunteers(options)?,
            sampling,
        )?;
        sample(
            &mut measurement.echo,
            echo.id(),
            Load::echo_clients(echo_options)?,
            sampling,
        )?;
    }
    Ok(measurement)
}

fn sample(
    contender: &mut Contender,
    process: u32,
    mut load: Load,
    sampling: Sampling,
) -> Result<()> {
    load.count(sampling.warm_up)?;
    let before = usage(process)?.cpu;
    let (exchanges, time) = load.count(sampling.window)?;
    let busy = usage(process)?.cpu.saturating_sub(before);
    contender.per_s.push(exchanges as f64 / time.as_secs_f64());
    contender
        .cpu_us
        .push(busy.as_secs_f64() * 1e6 / exchanges as f64);
    Ok(())
}

/// Returns the average size of the server's replies under load, in bytes.
fn reply_bytes(server: &ServerProcess, options: LoadOptions, sampling: Sampling) -> Result<u64> {
    let mut load = Load::volunteers(options)?;
    load.count(sampling.warm_up)?;
    let before = server.status();
    load.count(sampling.window)?;
    let after = server.status();
    let growth = |path: &str| -> Result<u64> {
        let count = |status: &Value| status.pointer(path).and_then(Value::as_u64);
        count(&after)
            .zip(count(&before))
            .map(|(after, before)| after - before)
            .context("no such count")
    };
    Ok(growth("/traffic/sent_bytes")? / growth("/accepted")?.max(1))
}
