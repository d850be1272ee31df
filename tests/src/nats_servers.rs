//! Servers of NATS for tests.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::child_process::ChildProcess;
use crate::wait::wait_for_some;

/// Servers of NATS on this machine: one, or three that replicate.
#[derive(Debug)]
pub struct NatsServers {
    program: PathBuf,
    dir: TempDir,
    ports: Vec<u16>,
    processes: Vec<Option<ChildProcess>>,
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
    /// Starts servers with this program.
    ///
    /// # Panics
    /// Panics if they do not start.
    pub fn start(program: PathBuf, count: usize) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let ports: Vec<u16> = (0..count).map(|_| free_port()).collect();
        let routes: Vec<u16> = (0..count).map(|_| free_port()).collect();
        let addresses: Vec<String> = routes
            .iter()
            .map(|port| format!("nats://127.0.0.1:{port}"))
            .collect();
        for server in 0..count {
            let (port, route) = (ports[server], routes[server]);
            let log = dir
                .path()
                .join(format!("{server}.log"))
                .display()
                .to_string();
            let store = dir.path().join(format!("store-{server}"));
            let mut config = format!(
                "server_name: n{server}\nlisten: 127.0.0.1:{port}\nmax_payload: 8MB\nlog_file: {log:?}\n\
                 jetstream {{ store_dir: {:?}, sync_interval: always, max_memory_store: 1G, max_file_store: 4G }}\n",
                store.display()
            );
            if count > 1 {
                config += &format!(
                    "cluster {{ name: tests, listen: 127.0.0.1:{route}, routes: [{}] }}\n",
                    addresses.join(", ")
                );
            }
            let path = dir.path().join(format!("{server}.conf"));
            fs::write(path, config).expect("a writable folder");
        }
        let mut servers = Self {
            program,
            dir,
            ports,
            processes: (0..count).map(|_| None).collect(),
        };
        (0..count).for_each(|server| servers.launch(server));
        servers
    }

    /// Starts a server that was killed.
    pub fn launch(&mut self, server: usize) {
        let config = self.dir.path().join(format!("{server}.conf"));
        let process = ChildProcess::start(Command::new(&self.program).arg("-c").arg(config));
        self.processes[server] = Some(process);
        let port = self.ports[server];
        wait_for_some("nats-server", || {
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
    }

    /// Kills a server.
    pub fn kill(&mut self, server: usize) {
        self.processes[server] = None;
    }

    /// Returns the number of servers.
    pub fn count(&self) -> usize {
        self.processes.len()
    }

    /// Returns the addresses for clients.
    pub fn addresses(&self) -> String {
        let addresses = self
            .ports
            .iter()
            .map(|port| format!("nats://127.0.0.1:{port}"));
        addresses.collect::<Vec<_>>().join(",")
    }
}
