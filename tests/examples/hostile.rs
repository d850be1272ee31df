//! A million malformed and hostile frames, beside honest volunteers. Everything stays on this machine.
//!
//! ```text
//!   cargo run --release -p farsign-tests --example hostile [FRAMES]
//! ```
//!
//! The server runs in a process of its own, with the limits it has by default. The hostile clients have another, and 16
//! loopback addresses each, so that the limits for each address do not stop them. They stand for other machines, so
//! their process is the last to be given this one's cores; and the honest volunteers wait between answers, as on
//! machines that take longer to compute one. Quiet windows and hostile ones alternate, so that the honest rate in both is
//! taken from the same run.

use std::io::{BufRead, BufReader, Lines, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use farsign_server::settings::{ModelKind, ScheduleKind, Settings};
use farsign_server::volunteer::{self, Tally, VolunteerOptions, WorkerEnd};
use farsign_tests::apart::{Apart, is_server};
use farsign_tests::hostile::{Hostile, Sent};
use farsign_tests::waiting::LOOK_EVERY;
use serde_json::Value;
use tokio::sync::watch;

const FRAMES: u64 = 1_000_000;
const SOCKETS: u8 = 32;
const ADDRESSES_EACH: u8 = 16;
const HONEST: usize = 8;
/// Wait of an honest volunteer before it sends an answer.
const THINKING: Duration = Duration::from_millis(20);
const QUIET: Duration = Duration::from_secs(5);
const HOSTILE: Duration = Duration::from_secs(15);

/// First argument of the process of the hostile clients.
const ATTACK: &str = "attack";

/// Honest answers and the time in which they came.
#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    answers: u64,
    time: Duration,
}

impl Rate {
    fn per_second(self) -> f64 {
        self.answers as f64 / self.time.as_secs_f64()
    }

    /// Adds what comes within this time.
    fn add(&mut self, tally: &Tally, time: Duration) {
        let (before, started) = (tally.accepted(), Instant::now());
        std::thread::sleep(time);
        self.answers += tally.accepted() - before;
        self.time += started.elapsed();
    }
}

/// The process of the hostile clients, which sends while it is told to.
struct Attackers {
    process: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl Attackers {
    fn start(server: SocketAddr) -> Self {
        let program = std::env::current_exe().expect("a program knows where it is");
        let mut command = Command::new("nice");
        command.args(["-n", "19"]).arg(program).args([ATTACK, &server.to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("the hostile clients start");
        let said = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        Self { process, said }
    }

    /// Tells them to begin or to stop; gives the frames that were sent so far.
    fn tell(&mut self, go: bool) -> u64 {
        let stdin = self.process.stdin.as_mut().expect("it is piped");
        stdin.write_all(if go { b"go\n" } else { b"rest\n" }).expect("they listen");
        self.hear().parse().expect("a number of frames")
    }

    /// Ends them; gives what they sent.
    fn end(mut self) -> String {
        drop(self.process.stdin.take());
        let sent = self.hear();
        assert!(self.process.wait().expect("they end").success(), "the hostile clients failed");
        sent
    }

    fn hear(&mut self) -> String {
        self.said.next().expect("they answer").expect("a line")
    }
}

fn main() {
    if is_server() {
        return;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, server] = &arguments[..]
        && mode == ATTACK
    {
        return attack(server.parse().expect("an address"));
    }
    let frames = arguments.first().map_or(FRAMES, |frames| frames.parse().expect("a number of frames"));
    let server = Apart::start(&Settings {
        model: Some(ModelKind::Softmax),
        schedule: Some(ScheduleKind::Constant),
        ..Settings::default()
    });
    let attackers = Attackers::start(server.address());
    let (tally, (stop, stopping)) = (Arc::new(Tally::default()), watch::channel(false));
    std::thread::scope(|scope| {
        let url = format!("http://{}", server.address());
        let endpoint = url.parse().expect("an address");
        let options = VolunteerOptions { delay: THINKING, ..VolunteerOptions::new(endpoint, HONEST) };
        let honest_tally = Arc::clone(&tally);
        let honest = scope.spawn(move || volunteer::run(&options, &honest_tally, &stopping, |_, _| {}));
        measure(&server, attackers, &tally, frames);
        stop.send_replace(true);
        let ends = honest.join().expect("no panic").expect("the server has data");
        let stopped = ends.iter().all(|end| *end == WorkerEnd::Stopped);
        assert!(stopped, "honest volunteers were sent away: {ends:?}");
    });
    report(server, &tally);
}

/// The process of the hostile clients: goes, rests and ends as its standard input says.
fn attack(server: SocketAddr) {
    let (on, over, frames) = (AtomicBool::new(false), AtomicBool::new(false), AtomicU64::new(0));
    let run = |seed: u8| {
        let mut client = Hostile::new(server, seed.into()).with_addresses(seed, ADDRESSES_EACH);
        while !over.load(Ordering::Relaxed) {
            if on.load(Ordering::Relaxed) {
                // A server that turns a connection away has seen no frame of it.
                frames.fetch_add(client.session().unwrap_or(0), Ordering::Relaxed);
            } else {
                std::thread::sleep(LOOK_EVERY);
            }
        }
        client.sent
    };
    let sent = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..SOCKETS).map(|seed| scope.spawn(move || run(seed))).collect();
        for line in std::io::stdin().lines() {
            on.store(line.expect("a line") == "go", Ordering::Relaxed);
            println!("{}", frames.load(Ordering::Relaxed));
        }
        over.store(true, Ordering::Relaxed);
        let mut sent = Sent::new();
        for client in clients {
            let one = client.join().expect("no panic");
            one.into_iter().for_each(|(what, count)| *sent.entry(what).or_default() += count);
        }
        sent
    });
    println!("{sent:?}");
}

fn measure(server: &Apart, mut attackers: Attackers, tally: &Tally, frames: u64) {
    let warm = |time| Rate::default().add(tally, time);
    let (mut quiet, mut hostile, mut memory, mut sent) = (Rate::default(), Rate::default(), Vec::new(), 0);
    warm(QUIET);
    while sent < frames {
        quiet.add(tally, QUIET);
        memory.push(server.memory_bytes());
        attackers.tell(true);
        hostile.add(tally, HOSTILE);
        sent = attackers.tell(false);
        warm(Duration::from_secs(1)); // sessions that are under way come to their end
    }
    let what = attackers.end();
    warm(Duration::from_secs(2));
    memory.push(server.memory_bytes());
    let seconds = hostile.time.as_secs_f64();
    println!("{sent} frames from {SOCKETS} sockets in {seconds:.0} s, {:.0} a second", sent as f64 / seconds);
    println!("  {what}");
    let (calm, beside) = (quiet.per_second(), hostile.per_second());
    println!("honest answers a second, quiet / hostile windows: {calm:.0} / {beside:.0}");
    println!("  ratio {:.3}", beside / calm);
    let mib: Vec<String> =
        memory.iter().map(|bytes| format!("{:.1}", *bytes as f64 / f64::from(1 << 20))).collect();
    println!("server memory in MiB, before each hostile window and at the end: {}", mib.join(" "));
}

fn report(server: Apart, tally: &Tally) {
    let status = ureq::get(format!("http://{}/api/v1/status", server.address())).call();
    let text = status.expect("the server is alive").body_mut().read_to_string().expect("it answers");
    let status: Value = serde_json::from_str(&text).expect("it is JSON");
    println!("rejected: {}\nended: {}", status["rejected"], status["ended"]);
    println!("accepted: {}, honest answers: {}", status["accepted"], tally.accepted());
    let (ended, errors) = server.end();
    assert!(ended, "the server did not end as it should: {errors}");
    assert!(!errors.contains("panicked"), "{errors}");
    println!("panics: 0");
    // An answer on its way when its sender stopped counts on one side only.
    let accepted = status["accepted"].as_u64().expect("a number");
    assert!(accepted.abs_diff(tally.accepted()) <= HONEST as u64, "somebody else moved the model");
}
