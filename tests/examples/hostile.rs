//! A million malformed and hostile frames, beside two honest volunteers. Everything stays on this machine.
//!
//! ```text
//!   cargo run --release -p farsign-tests --example hostile [FRAMES]
//! ```
//!
//! The server runs in a process of its own. Quiet windows and hostile ones alternate, so that the honest volunteers'
//! rate in both is taken from the same run; server, honest and hostile clients share the machine's cores.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::Scope;
use std::time::{Duration, Instant};

use farsign_server::settings::{ModelKind, ScheduleKind, Settings};
use farsign_server::volunteer::{self, Tally, VolunteerOptions, WorkerEnd};
use farsign_tests::apart::{Apart, is_server};
use farsign_tests::hostile::{Hostile, Sent};
use farsign_tests::waiting::LOOK_EVERY;
use serde_json::Value;
use tokio::sync::watch;

const FRAMES: u64 = 1_000_000;
const SOCKETS: u64 = 32;
const HONEST: usize = 2;
const QUIET: Duration = Duration::from_secs(3);
const HOSTILE: Duration = Duration::from_secs(12);

/// What the hostile threads are told and tell.
#[derive(Debug, Default)]
struct Attack {
    on: AtomicBool,
    over: AtomicBool,
    frames: AtomicU64,
    sent: Mutex<Sent>,
}

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

    /// Adds what comes within this time, or until `done`.
    fn add(&mut self, tally: &Tally, time: Duration, done: impl Fn() -> bool) {
        let (before, started) = (tally.accepted(), Instant::now());
        while started.elapsed() < time && !done() {
            std::thread::sleep(LOOK_EVERY);
        }
        self.answers += tally.accepted() - before;
        self.time += started.elapsed();
    }
}

fn main() {
    if is_server() {
        return;
    }
    let frames = std::env::args().nth(1).map_or(FRAMES, |frames| frames.parse().expect("a number of frames"));
    let many = Some(100_000);
    let server = Apart::start(&Settings {
        model: Some(ModelKind::Softmax),
        schedule: Some(ScheduleKind::Constant),
        max_connections: many,
        max_connections_per_address: many,
        max_volunteers_per_address: many,
        joins_per_minute: Some(1_000_000),
        ..Settings::default()
    });
    let (attack, tally) = (Arc::new(Attack::default()), Arc::new(Tally::default()));
    let (stop, stopping) = watch::channel(false);
    std::thread::scope(|scope| {
        let url = format!("http://{}", server.address());
        let options = VolunteerOptions::new(url.parse().expect("an address"), HONEST);
        let honest_tally = Arc::clone(&tally);
        let honest = scope.spawn(move || volunteer::run(&options, &honest_tally, &stopping, |_, _| {}));
        (0..SOCKETS).for_each(|seed| attack_from(scope, server.address(), &attack, seed));
        measure(&server, &attack, &tally, frames);
        stop.send_replace(true);
        let ends = honest.join().expect("no panic").expect("the server has data");
        assert!(
            ends.iter().all(|end| *end == WorkerEnd::Stopped),
            "honest volunteers were sent away: {ends:?}"
        );
    });
    report(server, &attack, &tally);
}

fn attack_from<'s>(scope: &'s Scope<'s, '_>, address: SocketAddr, attack: &Arc<Attack>, seed: u64) {
    let attack = Arc::clone(attack);
    scope.spawn(move || {
        let mut client = Hostile::new(address, seed);
        while !attack.over.load(Ordering::Relaxed) {
            if attack.on.load(Ordering::Relaxed) {
                let frames = client.session().expect("the server takes connections and ends them");
                attack.frames.fetch_add(frames, Ordering::Relaxed);
            } else {
                std::thread::sleep(LOOK_EVERY);
            }
        }
        let mut sent = attack.sent.lock().expect("no panic");
        client.sent.into_iter().for_each(|(what, count)| *sent.entry(what).or_default() += count);
    });
}

fn measure(server: &Apart, attack: &Attack, tally: &Tally, frames: u64) {
    let done = || attack.frames.load(Ordering::Relaxed) >= frames;
    let warm = |time| Rate::default().add(tally, time, || false);
    let (mut quiet, mut hostile, mut memory) = (Rate::default(), Rate::default(), Vec::new());
    warm(QUIET);
    while !done() {
        quiet.add(tally, QUIET, || false);
        memory.push(server.memory_bytes());
        attack.on.store(true, Ordering::Relaxed);
        hostile.add(tally, HOSTILE, done);
        attack.on.store(false, Ordering::Relaxed);
        warm(Duration::from_secs(1)); // sessions that are under way come to their end
    }
    attack.over.store(true, Ordering::Relaxed);
    warm(Duration::from_secs(2));
    memory.push(server.memory_bytes());
    let sent = attack.frames.load(Ordering::Relaxed);
    println!("{sent} frames from {SOCKETS} sockets in {:.0} s", hostile.time.as_secs_f64());
    println!("  {:.0} frames a second", sent as f64 / hostile.time.as_secs_f64());
    println!(
        "honest answers a second, quiet / hostile windows: {:.0} / {:.0}",
        quiet.per_second(),
        hostile.per_second()
    );
    let mib: Vec<String> =
        memory.iter().map(|bytes| format!("{:.1}", *bytes as f64 / f64::from(1 << 20))).collect();
    println!("server memory in MiB, before each hostile window and at the end: {}", mib.join(" "));
}

fn report(server: Apart, attack: &Attack, tally: &Tally) {
    let status = ureq::get(format!("http://{}/api/v1/status", server.address())).call();
    let text = status.expect("the server is alive").body_mut().read_to_string().expect("it answers");
    let status: Value = serde_json::from_str(&text).expect("it is JSON");
    println!("sent: {:?}", attack.sent.lock().expect("no panic"));
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
