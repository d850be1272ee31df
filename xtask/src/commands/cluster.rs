//! `cargo xtask cluster`: a whole cluster on this machine.

use std::fs;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitCode};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::build;
use crate::prerequisites::nats;
use crate::shell::Shell;

/// Servers of NATS.
const SERVERS: u16 = 3;

/// The first ports of servers, of routes between them and of gateways. The page is at `PAGE_PORT`.
const SERVER_PORT: u16 = 4322;
const ROUTE_PORT: u16 = 6322;
const GATEWAY_PORT: u16 = 8451;
const PAGE_PORT: u16 = 8443;

/// Password of every role, on this machine only.
const PASSWORD: &str = "farsign";

/// Gateways behind the balancer.
const GATEWAYS: u16 = 2;

/// Time for a process to listen. Gateways wait for elections of the servers, and for a learner.
const START_TIMEOUT: Duration = Duration::from_secs(90);

/// Time between two looks at the processes.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// A process, killed when it is dropped.
struct Process {
    name: String,
    child: Child,
}

impl Drop for Process {
    fn drop(&mut self) {
        _ = self.child.kill(); // it may have exited
        _ = self.child.wait();
    }
}

/// Starts three servers, two gateways behind a balancer, a learner, a standby and a verifier, and waits for one of them to
/// end. Ctrl-C ends them all. The arguments are settings of the run.
pub fn start(shell: &Shell, settings: &[String]) -> Result<ExitCode> {
    let Some(server) = nats::server(shell)? else {
        bail!(nats::missing());
    };
    build::web(shell)?;
    build::local(shell, "cluster")?;
    let folder = shell.target().join("cluster");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let mut processes = Vec::new();
    for number in 0..SERVERS {
        let command = server_command(shell, &server, &folder, number);
        processes.push(launch(&format!("nats-server {number}"), &folder, command)?);
    }
    for number in 0..SERVERS {
        wait_for(SERVER_PORT + number)?;
    }
    let mut roles = vec![
        ("learner", vec![]),
        ("standby", vec![]),
        ("verifier", vec![]),
    ];
    let listen: Vec<String> = (0..GATEWAYS)
        .map(|number| format!("127.0.0.1:{}", GATEWAY_PORT + number))
        .collect();
    for address in &listen {
        roles.push((
            "gateway",
            vec!["--listen", address, "--trusted-proxy", "127.0.0.1"],
        ));
    }
    for (number, (name, arguments)) in roles.into_iter().enumerate() {
        let name = format!("{name}-{number}");
        let command = role_command(shell, &name, &arguments, settings);
        processes.push(launch(&name, &folder, command)?);
    }
    for number in 0..GATEWAYS {
        wait_for(GATEWAY_PORT + number)?;
    }
    let balancer = TcpListener::bind(("127.0.0.1", PAGE_PORT))
        .with_context(|| format!("listening on port {PAGE_PORT}"))?;
    thread::spawn(move || balance(&balancer));
    println!(
        "Open http://127.0.0.1:{PAGE_PORT} and press Start. Ctrl-C stops the cluster.\nLogs are in {}.",
        folder.display()
    );
    watch(&mut processes)
}

fn server_command(shell: &Shell, server: &Path, folder: &Path, number: u16) -> Command {
    let route = |number| format!("\"nats://127.0.0.1:{}\"", ROUTE_PORT + number);
    let routes: Vec<String> = (0..SERVERS).map(route).collect();
    let mut command = shell.command(server);
    command
        .arg("-c")
        .arg(
            shell
                .root()
                .join("cluster")
                .join("nats")
                .join("server.conf"),
        )
        .env("FARSIGN_NATS_NAME", format!("n{number}"))
        .env(
            "FARSIGN_NATS_LISTEN",
            format!("127.0.0.1:{}", SERVER_PORT + number),
        )
        .env(
            "FARSIGN_NATS_ROUTE",
            format!("127.0.0.1:{}", ROUTE_PORT + number),
        )
        .env("FARSIGN_NATS_ROUTES", format!("[{}]", routes.join(", ")))
        .env("FARSIGN_NATS_STORE", folder.join(format!("nats-{number}")));
    for role in ["GATEWAY", "LEARNER", "VERIFIER"] {
        command.env(format!("FARSIGN_NATS_{role}_PASSWORD"), PASSWORD);
    }
    command
}

fn role_command(shell: &Shell, name: &str, arguments: &[&str], settings: &[String]) -> Command {
    let role = match name.split('-').next() {
        Some("standby") | None => "learner",
        Some(role) => role,
    };
    let servers: Vec<String> = (0..SERVERS)
        .map(|number| {
            format!(
                "nats://{role}:{PASSWORD}@127.0.0.1:{}",
                SERVER_PORT + number
            )
        })
        .collect();
    let mut command = shell.command(shell.local_program());
    command
        .arg(role)
        .args(["--nats", &servers.join(","), "--name", name]);
    command
        .args(arguments)
        .args(settings)
        .env("FARSIGN_LOG", "info,async_nats=warn");
    command
}

fn launch(name: &str, folder: &Path, mut command: Command) -> Result<Process> {
    let log = folder.join(format!("{}.log", name.replace(' ', "-")));
    let file = fs::File::create(&log).with_context(|| log.display().to_string())?;
    let child = command
        .stdin(std::process::Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .with_context(|| format!("starting {name}"))?;
    Ok(Process {
        name: name.to_owned(),
        child,
    })
}

/// Waits until something listens on a port.
fn wait_for(port: u16) -> Result<()> {
    let started = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if started.elapsed() > START_TIMEOUT {
            bail!(
                "nothing listens on port {port} after {START_TIMEOUT:?}; its log is in target/cluster"
            );
        }
        thread::sleep(LOOK_INTERVAL);
    }
    Ok(())
}

/// Waits until all processes have ended, and prints which of them end before: the others continue.
fn watch(processes: &mut Vec<Process>) -> Result<ExitCode> {
    while !processes.is_empty() {
        let mut running = Vec::new();
        for mut process in processes.drain(..) {
            match process.child.try_wait()? {
                Some(status) => println!("{} has ended: {status}", process.name),
                None => running.push(process),
            }
        }
        *processes = running;
        thread::sleep(LOOK_INTERVAL);
    }
    Ok(ExitCode::SUCCESS)
}

/// Passes each connection on to a gateway that accepts it, in turn.
fn balance(listener: &TcpListener) {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    for client in listener.incoming().flatten() {
        thread::spawn(move || {
            let first = NEXT.fetch_add(1, Ordering::Relaxed);
            let gateways = (0..usize::from(GATEWAYS)).map(|number| {
                let number = (first + number) % usize::from(GATEWAYS);
                SocketAddr::from(([127, 0, 0, 1], GATEWAY_PORT + number as u16))
            });
            let mut accepting = gateways.filter_map(|gateway| TcpStream::connect(gateway).ok());
            if let Some(gateway) = accepting.next() {
                _ = join(&client, &gateway); // one side has ended the connection
            }
        });
    }
}

fn join(client: &TcpStream, gateway: &TcpStream) -> io::Result<()> {
    let from = client.try_clone()?;
    let to = gateway.try_clone()?;
    let back = thread::spawn(move || copy(&to, &from));
    copy(client, gateway)?;
    _ = back.join();
    Ok(())
}

fn copy(mut from: &TcpStream, mut to: &TcpStream) -> io::Result<()> {
    let copied = io::copy(&mut from, &mut to);
    _ = to.shutdown(Shutdown::Write);
    copied.map(drop)
}
