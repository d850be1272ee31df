//! Section `server`: what the server can take, beside an echo of the same frames.

mod cpu;
mod echo;
mod load;

use std::time::Duration;

use anyhow::{Context as _, Result};
use farsign_tests::process::Server;
use serde_json::Value;

use crate::machine::Machine;
use crate::report::{Ratio, Row, Section};

use cpu::cpu_time;
use echo::Echo;
use load::{Load, LoadOptions};

pub use echo::{asked_for as echo_asked_for, serve as serve_echo};

/// Connections at a time.
const CLIENTS: usize = 64;
/// Alternations of the two servers.
const ROUNDS: usize = 7;
/// How long each is measured in a round, after a warm-up.
const WINDOW: Duration = Duration::from_secs(2);
const WARM_UP: Duration = Duration::from_millis(500);

/// Models, their number of parameters, and what is asked of the ratio.
const MODELS: [(&str, usize, Option<&str>); 2] =
    [("softmax", 7_850, Some("at most 1.25")), ("mlp", 101_770, None)];

const ABOUT: &str = "\
64 clients on loopback send an answer as soon as they have a task, and compute nothing. The echo is tokio-tungstenite \
alone, in a process of its own: it takes the same answers and sends back as many bytes as the server does on average, \
which with so many clients is nearly a whole snapshot each time. The two alternate; told is the processor time that the \
process took for an exchange, its kernel part included, and how many exchanges there were in a second, clients on the \
same cores. The rule is `plain`: what `verified` adds is bounded by `--check-cpu-share` and happens beside the answers.

The kernel's part in sending and receiving limits both. The server adds the step on the parameters, a snapshot for \
every 16th of the fleet, putting the frame together, and two hand-overs between tasks for an answer.";

/// Measures.
///
/// # Errors
/// When a server fails or a client is turned away.
pub fn run(_: &Machine) -> Result<Section> {
    let (mut rows, mut ratios) = (Vec::new(), Vec::new());
    for (model, directions, wanted) in MODELS {
        eprintln!("  {model}");
        let Measured { server, echo } = measure(model, directions)?;
        let row = |who: &str, what: &str, unit, samples: &[f64]| {
            Row::of(format!("{who}, {model}, d = {directions}: {what}"), unit, samples)
        };
        let cpu = ["server", "echo"].map(|who| {
            let side = if who == "server" { &server } else { &echo };
            rows.push(row(who, "exchanges", "per s", &side.per_s));
            row(who, "processor time of an exchange", "µs", &side.cpu_us)
        });
        let what = format!("{model}: processor time, server over echo");
        ratios.push(Ratio::of(what, &cpu[0], &cpu[1], wanted));
        rows.extend(cpu);
    }
    let title = "The server beside a bare echo".to_owned();
    Ok(Section { name: "server", title, about: ABOUT.to_owned(), rows, ratios })
}

/// Samples of one side.
#[derive(Debug, Default)]
struct Side {
    per_s: Vec<f64>,
    cpu_us: Vec<f64>,
}

#[derive(Debug)]
struct Measured {
    server: Side,
    echo: Side,
}

fn measure(model: &str, directions: usize) -> Result<Measured> {
    let never = u32::MAX.to_string();
    // A run without an end, whose model hardly moves and is never evaluated, and which takes as many joins as there are.
    let settings =
        ["--schedule", "constant", "--alpha", "1e-9", "--rule", "plain", "--evaluate-every", &never];
    let settings = [&settings[..], &["--joins-per-minute", "1000000"]].concat();
    let server = Server::start(&[&["--model", model], &settings[..]].concat());
    let options = LoadOptions { address: server.address(), clients: CLIENTS, directions };
    let echo = Echo::start(reply_bytes(&server, options)?)?;
    let echo_options = LoadOptions { address: echo.address, ..options };
    let mut measured = Measured { server: Side::default(), echo: Side::default() };
    for _ in 0..ROUNDS {
        sample(&mut measured.server, server.id(), Load::volunteers(options)?)?;
        sample(&mut measured.echo, echo.id(), Load::echoed(echo_options)?)?;
    }
    Ok(measured)
}

fn sample(side: &mut Side, process: u32, mut load: Load) -> Result<()> {
    load.count(WARM_UP)?;
    let before = cpu_time(process)?;
    let (exchanges, time) = load.count(WINDOW)?;
    let busy = cpu_time(process)?.saturating_sub(before);
    side.per_s.push(exchanges as f64 / time.as_secs_f64());
    side.cpu_us.push(busy.as_secs_f64() * 1e6 / exchanges as f64);
    Ok(())
}

/// Bytes of the server's answers on average under this load.
fn reply_bytes(server: &Server, options: LoadOptions) -> Result<u64> {
    let mut load = Load::volunteers(options)?;
    load.count(WARM_UP)?;
    let before = server.status();
    load.count(WINDOW)?;
    let after = server.status();
    let grown = |path: &str| -> Result<u64> {
        let count = |status: &Value| status.pointer(path).and_then(Value::as_u64);
        count(&after).zip(count(&before)).map(|(after, before)| after - before).context("no such count")
    };
    Ok(grown("/traffic/sent_bytes")? / grown("/accepted")?.max(1))
}
