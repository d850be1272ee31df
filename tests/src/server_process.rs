//! The `farsign serve` program as a child process.

use std::env;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::child_process::ChildProcess;
use crate::wait::{self, TEST_TIMEOUT};

/// Returns the path of the `farsign` program: `FARSIGN_BIN`, or the build beside the running tests.
///
/// # Panics
/// If the program does not exist.
pub fn server_program() -> PathBuf {
    let program = env::var_os("FARSIGN_BIN").map_or_else(built_program, PathBuf::from);
    assert!(
        program.is_file(),
        "expected the program at {}; build it with `cargo build --workspace --bin farsign`",
        program.display()
    );
    program
}

/// Returns `target/debug/farsign` for `target/debug/deps/server-1234`.
fn built_program() -> PathBuf {
    let tests = env::current_exe().expect("the system names the running program");
    let folder = tests
        .ancestors()
        .nth(2)
        .expect("tests are in a folder of the target folder");
    folder
        .join("farsign")
        .with_extension(env::consts::EXE_EXTENSION)
}

/// A `farsign serve` on the loopback interface. Dropping it kills the process.
#[derive(Debug)]
pub struct ServerProcess {
    /// Program and arguments that the server's command is appended to. Empty to start the server directly.
    launcher: Vec<String>,
    arguments: Vec<String>,
    address: SocketAddr,
    process: Option<ChildProcess>,
}

impl ServerProcess {
    /// Starts a server on a free port, with seed 1 and these arguments.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_with_launcher(&[], arguments)
    }

    /// Starts a server through another program that replaces itself by the server.
    pub fn start_with_launcher(launcher: &[&str], arguments: &[&str]) -> Self {
        let to_owned = |texts: &[&str]| {
            texts
                .iter()
                .map(|&text| text.to_owned())
                .collect::<Vec<String>>()
        };
        let launcher = to_owned(launcher);
        let arguments = to_owned(arguments);
        let (process, address) = spawn(([127, 0, 0, 1], 0).into(), &launcher, &arguments);
        Self {
            launcher,
            arguments,
            address,
            process: Some(process),
        }
    }

    /// Kills the server without a warning, as a power failure would.
    pub fn kill(&mut self) {
        assert!(
            self.process.take().is_some(),
            "the server was killed before"
        );
    }

    /// Starts a killed server again, with the same arguments on the same port.
    pub fn restart(&mut self) {
        assert!(self.process.is_none(), "the server still runs");
        self.process = Some(spawn(self.address, &self.launcher, &self.arguments).0);
    }

    /// Returns whether the server has exited.
    pub fn has_exited(&mut self) -> bool {
        self.process
            .as_mut()
            .is_none_or(|process| process.exits_within(Duration::ZERO))
    }

    /// Returns the address that the server listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the process ID.
    ///
    /// # Panics
    /// If the server was killed.
    pub fn id(&self) -> u32 {
        self.process.as_ref().expect("the server runs").id()
    }

    /// Returns `/api/v1/status`.
    pub fn status(&self) -> Value {
        self.get_json("/api/v1/status", "")
    }

    /// Returns the JSON of a path, requested with a bearer token.
    pub fn get_json(&self, path: &str, token: &str) -> Value {
        let url = format!("http://{}{path}", self.address);
        let request = ureq::get(url).header("authorization", format!("Bearer {token}"));
        let request = request
            .config()
            .timeout_global(Some(TEST_TIMEOUT))
            .proxy(None)
            .build();
        let mut response = request.call().expect("a response");
        let text = response.body_mut().read_to_string().expect("a body");
        serde_json::from_str(&text).expect("valid JSON")
    }

    /// Waits until this many verifications have passed, asserts that none has failed, and returns the status.
    pub fn wait_for_verifications(&self, passed: f64) -> Value {
        let status = self.wait_until("verifications", |status| {
            status["verification"]["passed"].as_f64() >= Some(passed)
        });
        assert_eq!(status["verification"]["failed"], 0, "{status:#}");
        status
    }

    /// Polls the status until it meets a condition, and returns it.
    pub fn wait_until(&self, what: &str, is_met: impl Fn(&Value) -> bool) -> Value {
        wait::wait_for(|| self.status(), what, is_met)
    }
}

fn spawn(
    listen: SocketAddr,
    launcher: &[String],
    arguments: &[String],
) -> (ChildProcess, SocketAddr) {
    let server = server_program();
    let mut command = match launcher {
        [] => Command::new(server),
        [launcher, launcher_arguments @ ..] => {
            let mut command = Command::new(launcher);
            command.args(launcher_arguments).arg(server);
            command
        }
    };
    // Only the arguments set anything, not the environment of the test.
    let variables = env::vars_os().map(|(name, _)| name);
    variables
        .filter(|name| name.to_string_lossy().starts_with("FARSIGN_"))
        .for_each(|name| {
            command.env_remove(name);
        });
    command.env("FARSIGN_CONNECTIONS_PER_MINUTE", "1000000"); // each poll of the status is a connection
    command
        .args(["serve", "--seed", "1", "--listen", &listen.to_string()])
        .args(arguments);
    let mut process = ChildProcess::start(&mut command);
    let address = process.find_line("its address", |line| {
        line.strip_prefix("Open http://")?
            .split_once(' ')?
            .0
            .parse()
            .ok()
    });
    (process, address)
}
