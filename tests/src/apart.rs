//! A server in a process of its own, for examples that measure it: its memory and its errors are then its own too.
//!
//! The process is the example's program once more, so that nothing has to be built before. Linux only, as its memory is
//! read from /proc.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread::JoinHandle;

use farsign_server::settings::Settings;

use crate::host::Host;

/// First argument of the program when it is to be the server.
const SERVE: &str = "serve-apart";

/// A running server. Dropping it ends its process.
#[derive(Debug)]
pub struct Apart {
    process: Child,
    address: SocketAddr,
    errors: Option<JoinHandle<String>>,
}

/// To be called first by an example: becomes the server, and gives true when that has ended, in the server's process.
pub fn is_server() -> bool {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some(SERVE) {
        return false;
    }
    let settings = arguments.next().expect("settings were passed on");
    let host = Host::start(Settings::from_toml(&settings).expect("they can be read"));
    println!("{}", host.address());
    _ = std::io::stdin().read(&mut [0]); // until the example lets go of it
    true
}

impl Apart {
    /// Starts one with these settings.
    pub fn start(settings: &Settings) -> Self {
        let program = std::env::current_exe().expect("a program knows where it is");
        let mut command = Command::new(program);
        command.arg(SERVE).arg(settings.to_toml());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("the server starts");
        let errors = process.stderr.take().expect("it is piped");
        let errors = std::thread::spawn(|| read(errors));
        let mut line = String::new();
        let output = process.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut line).expect("the server says where it is");
        let Ok(address) = line.trim().parse() else {
            panic!("the server does not start: {}", errors.join().expect("no panic"))
        };
        Self { process, address, errors: Some(errors) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Memory it has in use.
    pub fn memory_bytes(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let status = status.expect("the server's memory can be read");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("there is a size");
        1024 * line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number")
    }

    /// Ends it; gives whether it ended as it should, and all that it wrote to its standard error.
    pub fn end(mut self) -> (bool, String) {
        drop(self.process.stdin.take());
        let ended = self.process.wait().is_ok_and(|status| status.success());
        let errors = self.errors.take().map(|errors| errors.join().expect("no panic"));
        (ended, errors.unwrap_or_default())
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        _ = self.process.wait();
    }
}

fn read(mut errors: ChildStderr) -> String {
    let mut text = Vec::new();
    _ = errors.read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}
