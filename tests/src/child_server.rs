//! A server in a child process of a measurement, so that its memory and its errors are separate.
//!
//! The child runs the same program as the measurement, which therefore requires no other build. Linux only: the memory
//! is read from /proc.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread::JoinHandle;

use farsign_server::Settings;

use crate::test_server::TestServer;

/// First argument of the program in the server's process.
const SERVE: &str = "serve-as-child";

/// A running server. Dropping it ends its process.
#[derive(Debug)]
pub struct ChildServer {
    process: Child,
    address: SocketAddr,
    errors: Option<JoinHandle<String>>,
}

/// Runs the server if this is a server's process, and returns whether it is.
///
/// A measurement calls this first in `main`, and returns if the result is `true`.
pub fn run_if_child() -> bool {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some(SERVE) {
        return false;
    }
    let settings = arguments.next().expect("the parent passes settings");
    let server = TestServer::start(Settings::from_toml(&settings).expect("valid settings"));
    println!("{}", server.address());
    _ = std::io::stdin().read(&mut [0]); // blocks until the parent closes the pipe
    true
}

impl ChildServer {
    /// Starts a server with these settings.
    pub fn spawn(settings: &Settings) -> Self {
        let program = std::env::current_exe().expect("the path of this program");
        let mut command = Command::new(program);
        command.arg(SERVE).arg(settings.to_toml());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = command.spawn().expect("the server starts");
        let errors = process.stderr.take().expect("stderr is piped");
        let errors = std::thread::spawn(|| read_all(errors));
        let mut line = String::new();
        let output = process.stdout.take().expect("stdout is piped");
        BufReader::new(output)
            .read_line(&mut line)
            .expect("the server prints its address");
        let Ok(address) = line.trim().parse() else {
            panic!(
                "the server does not start: {}",
                errors.join().expect("no panic")
            )
        };
        Self {
            process,
            address,
            errors: Some(errors),
        }
    }

    /// Returns the address that the server listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the resident memory of the server.
    pub fn memory_bytes(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let status = status.expect("/proc is readable");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .expect("a VmRSS line");
        1024 * line
            .trim()
            .trim_end_matches(" kB")
            .parse::<usize>()
            .expect("a number")
    }

    /// Stops the server, and returns whether it exited successfully and its standard error.
    pub fn stop(mut self) -> (bool, String) {
        drop(self.process.stdin.take());
        let succeeded = self.process.wait().is_ok_and(|status| status.success());
        let errors = self
            .errors
            .take()
            .map(|errors| errors.join().expect("no panic"));
        (succeeded, errors.unwrap_or_default())
    }
}

impl Drop for ChildServer {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        _ = self.process.wait();
    }
}

fn read_all(mut errors: ChildStderr) -> String {
    let mut text = Vec::new();
    _ = errors.read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}
