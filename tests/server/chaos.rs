//! A chaos test: faults in an order drawn from a seed, while some volunteers attack.
//!
//! Server and volunteers are killed and stopped, connections broken and stalled, the disk filled, and the clock moved.
//! Afterwards no acknowledged update is lost, the server resumes exactly the model of its journal, no honest volunteer was
//! ejected, no process panicked, and the model learns.
//!
//! `FARSIGN_CHAOS_SEED` sets the seed and `FARSIGN_CHAOS_FAULTS` the number of faults.
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use farsign::random::Stream;
use farsign_tests::child_process::ChildProcess;
use farsign_tests::flaky_proxy::FlakyProxy;
use farsign_tests::server_process::{ServerProcess, server_program};
use farsign_tests::state_dir::{published_parameters, show_run};
use farsign_tests::wait;
use farsign_volunteer::{FleetOptions, FleetStats, WorkerExit, run_fleet};
use tokio::sync::watch;

/// The ignored signal makes writes beyond the file size limit fail instead of ending the process.
const IGNORE_SIGNAL: &str = r#"trap "" XFSZ; exec "$0" "$@""#;

/// Maximum number of accepted updates between two faults.
const MAX_UPDATES_BETWEEN_FAULTS: u64 = 120;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    ServerKilled,
    ServerStopped,
    VolunteersKilled,
    ProxyDisconnected,
    ProxyStalled,
    DiskFull,
    ClockJumps,
}

const FAULTS: [Fault; 7] = [
    Fault::ServerKilled,
    Fault::ServerStopped,
    Fault::VolunteersKilled,
    Fault::ProxyDisconnected,
    Fault::ProxyStalled,
    Fault::DiskFull,
    Fault::ClockJumps,
];

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

/// A fake clock for the server, if libfaketime is installed: the library and the file of the current offset.
struct Clock(Option<(PathBuf, PathBuf)>);

impl Clock {
    fn find(folder: &Path) -> Self {
        let path = |arch| format!("/usr/lib/{arch}-linux-gnu/faketime/libfaketime.so.1");
        let library = ["x86_64", "aarch64"]
            .map(|arch| PathBuf::from(path(arch)))
            .into_iter()
            .find(|p| p.is_file());
        if library.is_none() {
            println!("libfaketime is not installed: the clock is not changed");
        }
        let clock = Self(library.map(|library| (library, folder.join("clock"))));
        clock.set("+0");
        clock
    }

    fn set(&self, offset: &str) {
        if let Some((_, file)) = &self.0 {
            std::fs::write(file, offset).unwrap();
        }
    }

    /// Returns the environment variables that make a process use this clock.
    fn environment(&self) -> Vec<String> {
        let Some((library, file)) = &self.0 else {
            return Vec::new();
        };
        vec![
            format!("LD_PRELOAD={}", library.display()),
            format!("FAKETIME_TIMESTAMP_FILE={}", file.display()),
            "FAKETIME_NO_CACHE=1".to_owned(),
            "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(), // only the wall clock jumps
        ]
    }
}

/// The processes under test, and the means to inject faults.
struct TestBed {
    server: ServerProcess,
    proxy: FlakyProxy,
    clock: Clock,
    state: String,
    stats: Arc<FleetStats>,
    stream: Stream,
    /// Faults to draw; refilled when empty.
    deck: Vec<Fault>,
    /// Process of two volunteers, honest or malicious, that faults replace.
    killable_fleet: Option<ChildProcess>,
}

impl TestBed {
    fn new(folder: &Path, seed: u64) -> Self {
        let clock = Clock::find(folder);
        let state = folder.join("state").to_str().unwrap().to_owned();
        let mut launcher = vec!["env".to_owned()];
        launcher.extend(clock.environment());
        launcher.extend(["sh", "-c", IGNORE_SIGNAL].map(str::to_owned));
        let launcher: Vec<&str> = launcher.iter().map(String::as_str).collect();
        let schedule = [
            "--model",
            "softmax",
            "--schedule",
            "constant",
            "--checkpoint-every",
            "40",
        ];
        let limits = [
            "--state",
            &state,
            "--state-retention-bytes",
            "400000",
            "--joins-per-minute",
            "100000",
            "--retry-after-ms",
            "100",
        ];
        let server =
            ServerProcess::start_with_launcher(&launcher, &[&schedule[..], &limits].concat());
        let proxy = FlakyProxy::to(server.address()).unwrap();
        let mut bed = Self {
            server,
            proxy,
            clock,
            state,
            stats: Arc::new(FleetStats::default()),
            stream: Stream::new(seed),
            deck: Vec::new(),
            killable_fleet: None,
        };
        bed.killable_fleet = Some(bed.start_killable_fleet());
        bed
    }

    /// Waits until the honest fleet has `updates` more accepted updates.
    fn work(&self, updates: u64) {
        let target = self.stats.accepted() + updates;
        wait::wait_for_some("accepted updates", || {
            (self.stats.accepted() >= target).then_some(())
        });
    }

    fn draw(&mut self) -> Fault {
        if self.deck.is_empty() {
            self.deck.extend(FAULTS);
        }
        let index = self.stream.below(self.deck.len() as u64) as usize;
        self.deck.swap_remove(index)
    }

    fn inject(&mut self, fault: Fault) {
        match fault {
            Fault::ServerKilled => {} // `check` kills the server
            Fault::ServerStopped => {
                self.signal("STOP");
                self.wait_until_idle();
                self.proxy.disconnect(); // noticed by the server only after it continues
                self.signal("CONT");
            }
            Fault::VolunteersKilled => self.killable_fleet = Some(self.start_killable_fleet()),
            Fault::ProxyDisconnected => self.proxy.disconnect(),
            Fault::ProxyStalled => {
                self.proxy.stall();
                self.wait_until_idle();
                self.proxy.resume();
            }
            Fault::DiskFull => self.fill_disk(),
            Fault::ClockJumps => {
                let offset = ["+400d", "-400d", "+1", "-3700"][self.stream.below(4) as usize];
                self.clock.set(offset);
            }
        }
    }

    /// Waits until no more updates are acknowledged.
    fn wait_until_idle(&self) {
        let mut previous = None;
        wait::wait_for_some("an unchanged number of updates", || {
            let accepted = self.stats.accepted();
            (previous.replace(accepted) == Some(accepted)).then_some(())
        });
    }

    fn signal(&self, signal: &str) {
        let id = self.server.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", signal, &id])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Replaces the killable fleet by two new volunteers, which are attackers half of the time.
    fn start_killable_fleet(&mut self) -> ChildProcess {
        drop(self.killable_fleet.take());
        let url = format!("http://{}", self.proxy.address());
        let mut command = Command::new(server_program());
        command.args(["volunteer", "--url", &url, "--workers", "2"]);
        if self.stream.below(2) == 0 {
            command.args(["--attack", "sign-flip", "--rejoin"]);
        }
        ChildProcess::start(&mut command)
    }

    /// Limits the file size until the server exits, or for some updates if the limit is high enough.
    fn fill_disk(&mut self) {
        let pid = self.server.id().try_into().unwrap();
        let set = |soft| {
            rlimit::prlimit(
                pid,
                rlimit::Resource::FSIZE,
                Some((soft, rlimit::INFINITY)),
                None,
            )
        };
        let largest = std::fs::read_dir(&self.state)
            .unwrap()
            .map(|file| file.unwrap().metadata().unwrap().len());
        set(largest.max().unwrap() * self.stream.below(5) / 4).unwrap();
        let target = self.stats.accepted() + MAX_UPDATES_BETWEEN_FAULTS;
        wait::wait_for_some("a full disk, or accepted updates", || {
            (self.server.has_exited() || self.stats.accepted() >= target).then_some(())
        });
        if !self.server.has_exited() {
            set(rlimit::INFINITY).unwrap();
        }
    }

    /// Kills the server, and asserts that its saved run has all acknowledged updates and is resumed exactly.
    fn check(&mut self, label: &str) {
        self.server.kill();
        let acknowledged = self.stats.accepted();
        let (accepted, parameters) = show_run(&self.state);
        assert!(
            accepted >= acknowledged,
            "{label}: {accepted} of {acknowledged} acknowledged updates survived"
        );
        // While the proxy stalls, the published model is the resumed model.
        self.proxy.stall();
        self.server.restart();
        assert_eq!(
            published_parameters(&format!("http://{}", self.server.address())),
            parameters,
            "{label}"
        );
        assert_eq!(self.server.status()["accepted"], accepted, "{label}");
        self.proxy.resume();
    }
}

/// Stops the honest fleet, also if an assertion fails, which would otherwise wait for it.
struct StopOnDrop<'a>(&'a watch::Sender<bool>);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}

fn chaos(seed: u64, faults: u64) {
    let folder = tempfile::tempdir().unwrap();
    let mut bed = TestBed::new(folder.path(), seed);
    let url = format!("http://{}", bed.proxy.address());
    let stats = Arc::clone(&bed.stats);
    let (stop, stopping) = watch::channel(false);
    let options = FleetOptions::new(url.parse().expect("a server URL"), 3);
    let exits = std::thread::scope(|scope| {
        let honest = scope.spawn(|| run_fleet(&options, &stats, &stopping, |_, _| {}));
        let fleet_stop = StopOnDrop(&stop);
        for n in 1..=faults {
            let updates = bed.stream.below(MAX_UPDATES_BETWEEN_FAULTS);
            bed.work(updates);
            let fault = bed.draw();
            let label = format!("seed {seed}, fault {n}: {fault:?}");
            println!("{label} after {} updates", bed.stats.accepted());
            bed.inject(fault);
            if matches!(fault, Fault::ServerKilled | Fault::DiskFull) {
                bed.check(&label);
            }
        }
        bed.work(1);
        drop(fleet_stop);
        honest.join().expect("no panic").expect("a fleet")
    });
    assert!(
        exits.iter().all(|exit| *exit == WorkerExit::Stopped),
        "seed {seed}: ejected: {exits:?}"
    );
    bed.check(&format!("seed {seed}, the end"));
    let has_learned =
        |status: &serde_json::Value| status["held_out"]["accuracy"].as_f64() >= Some(0.8);
    let status = bed.server.wait_until("an accuracy of 0.8", has_learned);
    println!(
        "seed {seed}: accuracy {} after {}",
        status["held_out"]["accuracy"], status["accepted"]
    );
}

#[test]
fn faults_lose_no_updates() {
    chaos(
        number("FARSIGN_CHAOS_SEED", 1),
        number("FARSIGN_CHAOS_FAULTS", 14),
    );
}
