//! Measures the effect of a million malformed and adversarial frames on honest volunteers, on loopback.
//!
//! ```text
//!   cargo run --release -p farsign-bench --bin adversarial_load [FRAMES]
//! ```
//!
//! The server runs in a child process with default limits. The adversarial clients run in another process, each with 16
//! loopback addresses, so that the limits per address do not stop them. They represent other machines, so their process
//! has the lowest CPU priority. The honest volunteers wait between updates, as slower machines would. Quiet and
//! adversarial windows alternate, so that both rates of honest updates are from the same run.

use std::io::{BufRead, BufReader, Lines, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use farsign_server::Settings;
use farsign_server::config::settings::{ModelKind, ScheduleKind};
use farsign_tests::adversarial_client::{AdversarialClient, SentFrames};
use farsign_tests::child_server::{ChildServer, run_if_child};
use farsign_tests::wait::POLL_INTERVAL;
use farsign_volunteer::{FleetOptions, FleetStats, WorkerExit, run_fleet};
use serde_json::Value;
use tokio::sync::watch;

const DEFAULT_FRAMES: u64 = 1_000_000;
const CLIENTS: u8 = 32;
const ADDRESSES_PER_CLIENT: u8 = 16;
const HONEST_WORKERS: usize = 8;

/// Delay of an honest volunteer before each update.
const HONEST_DELAY: Duration = Duration::from_millis(20);

const QUIET_WINDOW: Duration = Duration::from_secs(5);
const ADVERSARIAL_WINDOW: Duration = Duration::from_secs(15);

/// First argument of the process of the adversarial clients.
const ATTACK: &str = "attack";

/// Accepted honest updates and the time that they took.
#[derive(Clone, Copy, Debug, Default)]
struct Throughput {
    updates: u64,
    time: Duration,
}

impl Throughput {
    fn per_second(self) -> f64 {
        self.updates as f64 / self.time.as_secs_f64()
    }

    /// Adds the updates of a window that starts now.
    fn measure(&mut self, stats: &FleetStats, window: Duration) {
        let before = stats.accepted();
        let started = Instant::now();
        std::thread::sleep(window);
        self.updates += stats.accepted() - before;
        self.time += started.elapsed();
    }
}

/// The process of the adversarial clients, which send on command.
struct AdversaryProcess {
    process: Child,
    output: Lines<BufReader<ChildStdout>>,
}

impl AdversaryProcess {
    fn start(server: SocketAddr) -> Self {
        let program = std::env::current_exe().expect("the path of this program");
        let mut command = Command::new("nice");
        command
            .args(["-n", "19"])
            .arg(program)
            .args([ATTACK, &server.to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("the adversarial clients start");
        let output = BufReader::new(process.stdout.take().expect("stdout is piped")).lines();
        Self { process, output }
    }

    /// Starts or pauses sending, and returns the number of frames sent so far.
    fn set_sending(&mut self, send: bool) -> u64 {
        let stdin = self.process.stdin.as_mut().expect("stdin is piped");
        stdin
            .write_all(if send { b"send\n" } else { b"pause\n" })
            .expect("the process reads");
        self.read_line().parse().expect("a number of frames")
    }

    /// Stops the process, and returns the number of frames sent by kind.
    fn stop(mut self) -> String {
        drop(self.process.stdin.take());
        let sent = self.read_line();
        assert!(
            self.process.wait().expect("an exit status").success(),
            "the adversarial clients failed"
        );
        sent
    }

    fn read_line(&mut self) -> String {
        self.output
            .next()
            .expect("a line")
            .expect("readable output")
    }
}

fn main() {
    if run_if_child() {
        return;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, server] = &arguments[..]
        && mode == ATTACK
    {
        return attack(server.parse().expect("an address"));
    }
    let frames = arguments.first().map_or(DEFAULT_FRAMES, |frames| {
        frames.parse().expect("a number of frames")
    });
    let server = ChildServer::spawn(&Settings {
        model: Some(ModelKind::Softmax),
        schedule: Some(ScheduleKind::Constant),
        ..Settings::default()
    });
    let adversaries = AdversaryProcess::start(server.address());
    let stats = Arc::new(FleetStats::default());
    let (stop, stopping) = watch::channel(false);
    std::thread::scope(|scope| {
        let url = format!("http://{}", server.address())
            .parse()
            .expect("a server URL");
        let options = FleetOptions {
            delay: HONEST_DELAY,
            ..FleetOptions::new(url, HONEST_WORKERS)
        };
        let honest_stats = Arc::clone(&stats);
        let honest = scope.spawn(move || run_fleet(&options, &honest_stats, &stopping, |_, _| {}));
        measure(&server, adversaries, &stats, frames);
        stop.send_replace(true);
        let exits = honest.join().expect("no panic").expect("a fleet");
        let all_stopped = exits.iter().all(|exit| *exit == WorkerExit::Stopped);
        assert!(all_stopped, "honest volunteers were ejected: {exits:?}");
    });
    report(server, &stats);
}

/// Runs the adversarial clients: sends, pauses and ends as standard input requests.
fn attack(server: SocketAddr) {
    let is_sending = AtomicBool::new(false);
    let is_over = AtomicBool::new(false);
    let frames = AtomicU64::new(0);
    let run_client = |seed: u8| {
        let mut client =
            AdversarialClient::new(server, seed.into()).with_addresses(seed, ADDRESSES_PER_CLIENT);
        while !is_over.load(Ordering::Relaxed) {
            if is_sending.load(Ordering::Relaxed) {
                // A rejected connection has sent no frame.
                frames.fetch_add(client.session().unwrap_or(0), Ordering::Relaxed);
            } else {
                std::thread::sleep(POLL_INTERVAL);
            }
        }
        client.sent
    };
    let run_client = &run_client;
    let sent = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|seed| scope.spawn(move || run_client(seed)))
            .collect();
        for line in std::io::stdin().lines() {
            is_sending.store(line.expect("a line") == "send", Ordering::Relaxed);
            println!("{}", frames.load(Ordering::Relaxed));
        }
        is_over.store(true, Ordering::Relaxed);
        let mut sent = SentFrames::new();
        for client in clients {
            let sent_by_client = client.join().expect("no panic");
            sent_by_client
                .into_iter()
                .for_each(|(kind, count)| *sent.entry(kind).or_default() += count);
        }
        sent
    });
    println!("{sent:?}");
}

fn measure(
    server: &ChildServer,
    mut adversaries: AdversaryProcess,
    stats: &FleetStats,
    frames: u64,
) {
    let mut quiet = Throughput::default();
    let mut adversarial = Throughput::default();
    let mut memory = Vec::new();
    let mut sent = 0;
    std::thread::sleep(QUIET_WINDOW); // warm-up
    while sent < frames {
        quiet.measure(stats, QUIET_WINDOW);
        memory.push(server.memory_bytes());
        adversaries.set_sending(true);
        adversarial.measure(stats, ADVERSARIAL_WINDOW);
        sent = adversaries.set_sending(false);
        std::thread::sleep(Duration::from_secs(1)); // open sessions end
    }
    let sent_by_kind = adversaries.stop();
    std::thread::sleep(Duration::from_secs(2));
    memory.push(server.memory_bytes());
    let seconds = adversarial.time.as_secs_f64();
    println!(
        "{sent} frames from {CLIENTS} clients in {seconds:.0} s, {:.0} per second",
        sent as f64 / seconds
    );
    println!("  {sent_by_kind}");
    let quiet = quiet.per_second();
    let adversarial = adversarial.per_second();
    println!(
        "honest updates per second, quiet / adversarial windows: {quiet:.0} / {adversarial:.0}"
    );
    println!("  ratio {:.3}", adversarial / quiet);
    let mib: Vec<String> = memory
        .iter()
        .map(|bytes| format!("{:.1}", *bytes as f64 / f64::from(1 << 20)))
        .collect();
    println!(
        "server memory in MiB, before each adversarial window and at the end: {}",
        mib.join(" ")
    );
}

fn report(server: ChildServer, stats: &FleetStats) {
    let status = ureq::get(format!("http://{}/api/v1/status", server.address())).call();
    let text = status
        .expect("a response")
        .body_mut()
        .read_to_string()
        .expect("a body");
    let status: Value = serde_json::from_str(&text).expect("valid JSON");
    println!(
        "rejected: {}\nsessions ended: {}",
        status["rejected"], status["sessions_ended"]
    );
    println!(
        "accepted: {}, of honest volunteers: {}",
        status["accepted"],
        stats.accepted()
    );
    let (succeeded, errors) = server.stop();
    assert!(succeeded, "the server failed: {errors}");
    assert!(!errors.contains("panicked"), "{errors}");
    println!("panics: 0");
    // An update in flight when its volunteer stops is counted by the server only.
    let accepted = status["accepted"].as_u64().expect("a number");
    let difference = accepted.abs_diff(stats.accepted());
    assert!(
        difference <= HONEST_WORKERS as u64,
        "an adversarial client changed the model"
    );
}
