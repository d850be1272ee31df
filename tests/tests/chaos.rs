//! Everything goes wrong, in an order that a seed draws: the real server and real volunteers are killed and stopped, lines
//! cut and stalled, the disk filled, the clock put forward and back, while some volunteers lie. What must hold then is
//! what holds always: nothing acknowledged is lost, the server goes on with exactly the model that its log leads to, no
//! honest volunteer is sent away, nothing panics, and the model learns.
//!
//! `FARSIGN_CHAOS_SEED` and `FARSIGN_CHAOS_FAULTS` say with which seed and how many faults.
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use farsign::random::Stream;
use farsign_server::volunteer::{self, Tally, VolunteerOptions, WorkerEnd};
use farsign_tests::line::Line;
use farsign_tests::process::{Program, Server, server_program};
use farsign_tests::saved::{served, show};
use farsign_tests::waiting;
use tokio::sync::watch;

/// Beyond its limit on the size of files a write fails instead of ending the process, as the signal is ignored.
const IGNORE_SIGNAL: &str = r#"trap "" XFSZ; exec "$0" "$@""#;

/// Answers that volunteers who go on work for between two faults, at most.
const MOST_BETWEEN: u64 = 120;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    ServerKilled,
    ServerStopped,
    VolunteersKilled,
    LineCut,
    LineStalled,
    DiskFull,
    ClockJumps,
}

const FAULTS: [Fault; 7] = [
    Fault::ServerKilled,
    Fault::ServerStopped,
    Fault::VolunteersKilled,
    Fault::LineCut,
    Fault::LineStalled,
    Fault::DiskFull,
    Fault::ClockJumps,
];

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

/// A clock for the server that this test can put, where the library for that is installed.
struct Clock(Option<(PathBuf, PathBuf)>);

impl Clock {
    fn find(folder: &Path) -> Self {
        let path = |arch| format!("/usr/lib/{arch}-linux-gnu/faketime/libfaketime.so.1");
        let library =
            ["x86_64", "aarch64"].map(|arch| PathBuf::from(path(arch))).into_iter().find(|p| p.is_file());
        if library.is_none() {
            println!("the clock does not jump: libfaketime is not installed");
        }
        let clock = Self(library.map(|library| (library, folder.join("clock"))));
        clock.put("+0");
        clock
    }

    fn put(&self, offset: &str) {
        if let Some((_, file)) = &self.0 {
            std::fs::write(file, offset).unwrap();
        }
    }

    /// What sets the server's clock to this one.
    fn environment(&self) -> Vec<String> {
        let Some((library, file)) = &self.0 else { return Vec::new() };
        let (library, file) = (library.display(), file.display());
        let real_only = "FAKETIME_DONT_FAKE_MONOTONIC=1"; // a jump of the clock on the wall is no jump of the other
        vec![
            format!("LD_PRELOAD={library}"),
            format!("FAKETIME_TIMESTAMP_FILE={file}"),
            "FAKETIME_NO_CACHE=1".to_owned(),
            real_only.to_owned(),
        ]
    }
}

/// Everything that can break.
struct World {
    server: Server,
    line: Line,
    clock: Clock,
    state: String,
    tally: Arc<Tally>,
    stream: Stream,
    /// Faults to come, each once before one comes again.
    deck: Vec<Fault>,
    /// A process of two volunteers, honest or not, that is killed now and then.
    others: Option<Program>,
}

impl World {
    fn new(folder: &Path, seed: u64) -> Self {
        let (clock, state) = (Clock::find(folder), folder.join("state").to_str().unwrap().to_owned());
        let mut launcher = vec!["env".to_owned()];
        launcher.extend(clock.environment());
        launcher.extend(["sh", "-c", IGNORE_SIGNAL].map(str::to_owned));
        let launcher: Vec<&str> = launcher.iter().map(String::as_str).collect();
        let schedule = ["--model", "softmax", "--schedule", "constant", "--checkpoint-every", "40"];
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
        let server = Server::start_through(&launcher, &[&schedule[..], &limits].concat());
        let line = Line::to(server.address()).unwrap();
        let (tally, stream) = (Arc::new(Tally::default()), Stream::new(seed));
        let mut world = Self { server, line, clock, state, tally, stream, deck: Vec::new(), others: None };
        world.others = Some(world.start_others());
        world
    }

    /// Waits until the volunteers who go on have had so many more answers accepted.
    fn work(&self, answers: u64) {
        let enough = self.tally.accepted() + answers;
        waiting::until_some("progress", || (self.tally.accepted() >= enough).then_some(()));
    }

    fn draw(&mut self) -> Fault {
        if self.deck.is_empty() {
            self.deck.extend(FAULTS);
        }
        let which = self.stream.below(self.deck.len() as u64) as usize;
        self.deck.swap_remove(which)
    }

    fn commit(&mut self, fault: Fault) {
        match fault {
            Fault::ServerKilled => {} // looking at what it has left begins with that
            Fault::ServerStopped => {
                self.signal("STOP");
                self.wait_for_silence();
                self.line.cut(); // what it does not see until it goes on
                self.signal("CONT");
            }
            Fault::VolunteersKilled => self.others = Some(self.start_others()),
            Fault::LineCut => self.line.cut(),
            Fault::LineStalled => {
                self.line.stall(true);
                self.wait_for_silence();
                self.line.stall(false);
            }
            Fault::DiskFull => self.fill_disk(),
            Fault::ClockJumps => {
                let offset = ["+400d", "-400d", "+1", "-3700"][self.stream.below(4) as usize];
                self.clock.put(offset);
            }
        }
    }

    /// Waits until nobody hears of an accepted answer any more.
    fn wait_for_silence(&self) {
        let mut heard = None;
        waiting::until_some("silence", || {
            let accepted = self.tally.accepted();
            (heard.replace(accepted) == Some(accepted)).then_some(())
        });
    }

    fn signal(&self, signal: &str) {
        let id = self.server.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
    }

    /// Two more volunteers, every other time liars, in place of those that are there.
    fn start_others(&mut self) -> Program {
        drop(self.others.take());
        let url = format!("http://{}", self.line.address());
        let mut command = Command::new(server_program());
        command.args(["volunteer", "--url", &url, "--workers", "2"]);
        if self.stream.below(2) == 0 {
            command.args(["--attack", "sign-flip", "--rejoin"]);
        }
        Program::start(&mut command)
    }

    /// No file may grow, or be written to beyond a part of it, until the server has given up, or for a while if it does
    /// not have to.
    fn fill_disk(&mut self) {
        let pid = self.server.id().try_into().unwrap();
        let set = |soft| rlimit::prlimit(pid, rlimit::Resource::FSIZE, Some((soft, rlimit::INFINITY)), None);
        let largest =
            std::fs::read_dir(&self.state).unwrap().map(|file| file.unwrap().metadata().unwrap().len());
        set(largest.max().unwrap() * self.stream.below(5) / 4).unwrap();
        let enough = self.tally.accepted() + MOST_BETWEEN;
        waiting::until_some("the disk is full, or there is room", || {
            (self.server.has_ended() || self.tally.accepted() >= enough).then_some(())
        });
        if !self.server.has_ended() {
            set(rlimit::INFINITY).unwrap();
        }
    }

    /// Ends the server without warning if it has not ended by itself, and looks at what it has left; starts it again, and looks at that.
    fn check(&mut self, what: &str) {
        self.server.kill();
        let acknowledged = self.tally.accepted();
        let (accepted, parameters) = show(&self.state);
        assert!(
            accepted >= acknowledged,
            "{what}: {accepted} of {acknowledged} acknowledged answers are there"
        );
        // Where nobody gets through, what the server gives out is what it has resumed.
        self.line.stall(true);
        self.server.start_again();
        assert_eq!(served(&format!("http://{}", self.server.address())), parameters, "{what}");
        assert_eq!(self.server.status()["accepted"], accepted, "{what}");
        self.line.stall(false);
    }
}

fn chaos(seed: u64, faults: u64) {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::new(folder.path(), seed);
    let url = format!("http://{}", world.line.address());
    let (tally, (stop, stopping)) = (Arc::clone(&world.tally), watch::channel(false));
    let options = VolunteerOptions::new(url.parse().expect("an address"), 3);
    let ends = std::thread::scope(|scope| {
        let honest = scope.spawn(|| volunteer::run(&options, &tally, &stopping, |_, _| {}));
        for n in 1..=faults {
            let answers = world.stream.below(MOST_BETWEEN);
            world.work(answers);
            let fault = world.draw();
            let what = format!("seed {seed}, fault {n}: {fault:?}");
            println!("{what} after {} answers", world.tally.accepted());
            world.commit(fault);
            if matches!(fault, Fault::ServerKilled | Fault::DiskFull) {
                world.check(&what);
            }
        }
        world.work(1);
        stop.send_replace(true);
        honest.join().expect("no panic").expect("data and threads")
    });
    assert!(ends.iter().all(|end| *end == WorkerEnd::Stopped), "seed {seed}: sent away: {ends:?}");
    world.check(&format!("seed {seed}, the end"));
    let learned = |status: &serde_json::Value| status["held_out"]["accuracy"].as_f64() >= Some(0.8);
    let status = world.server.wait_until("a model that has learned, in spite of it all", learned);
    println!("seed {seed}: accuracy {} after {}", status["held_out"]["accuracy"], status["accepted"]);
}

#[test]
fn nothing_is_lost_and_nobody_wronged_whatever_breaks() {
    chaos(number("FARSIGN_CHAOS_SEED", 1), number("FARSIGN_CHAOS_FAULTS", 14));
}
