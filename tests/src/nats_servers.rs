//! Servers of NATS for tests.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::child_process::ChildProcess;
use crate::wait::wait_for_some;

/// Servers.
pub const SERVERS: usize = 3;

/// The configuration of every server.
const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../cluster/nats/server.conf");

/// Three servers of NATS on this machine, which replicate.
#[derive(Debug)]
pub struct NatsServers {
    program: PathBuf,
    dir: TempDir,
    ports: [u16; SERVERS],
    routes: [u16; SERVERS],
    processes: [Option<ChildProcess>; SERVERS],
}

/// Returns the program of the server. `None` if it is not installed.
pub fn nats_program() -> Option<PathBuf> {
    let program = std::env::var_os("FARSIGN_NATS_SERVER").map(PathBuf::from);
    program.filter(|program| program.is_file())
}

/// Returns a port that is free.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}

impl NatsServers {
    /// Starts the servers with this program.
    ///
    /// # Panics
    /// Panics if they do not start.
    pub fn start(program: PathBuf) -> Self {
        let mut servers = Self {
            program,
            dir: tempfile::tempdir().expect("a temporary folder"),
            ports: [(); SERVERS].map(|()| free_port()),
            routes: [(); SERVERS].map(|()| free_port()),
            processes: [const { None }; SERVERS],
        };
        (0..SERVERS).for_each(|server| servers.launch(server));
        servers
    }

    /// Starts a server that was killed.
    ///
    /// # Panics
    /// Panics if it does not start.
    pub fn launch(&mut self, server: usize) {
        let port = self.ports[server];
        let address = |port: u16| format!("127.0.0.1:{port}");
        let routes = self
            .routes
            .map(|port| format!("\"nats://{}\"", address(port)));
        let store = self.dir.path().join(format!("store-{server}"));
        let mut command = Command::new(&self.program);
        command
            .args(["-c", CONFIG, "-l"])
            .arg(self.dir.path().join(format!("{server}.log")))
            .env("FARSIGN_NATS_NAME", format!("n{server}"))
            .env("FARSIGN_NATS_LISTEN", address(port))
            .env("FARSIGN_NATS_ROUTE", address(self.routes[server]))
            .env("FARSIGN_NATS_ROUTES", format!("[{}]", routes.join(", ")))
            .env("FARSIGN_NATS_STORE", store);
        for role in ["gateway", "learner", "verifier"] {
            let variable = format!("FARSIGN_NATS_{}_PASSWORD", role.to_uppercase());
            command.env(variable, format!("{role}-password"));
        }
        self.processes[server] = Some(ChildProcess::start(&mut command));
        wait_for_some("nats-server", || {
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
    }

    /// Kills a server.
    pub fn kill(&mut self, server: usize) {
        self.processes[server] = None;
    }

    /// Returns the lines of the logs about requests for which a role has no right.
    pub fn violations(&self) -> Vec<String> {
        let log = |server| self.dir.path().join(format!("{server}.log"));
        let logs = (0..SERVERS).filter_map(|server| std::fs::read_to_string(log(server)).ok());
        let lines = logs.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>());
        lines.filter(|line| line.contains("Violation")).collect()
    }

    /// Returns the addresses for a role.
    pub fn addresses(&self, role: &str) -> String {
        let address = |port| format!("nats://{role}:{role}-password@127.0.0.1:{port}");
        let addresses = self.ports.map(address);
        addresses.join(",")
    }
}
