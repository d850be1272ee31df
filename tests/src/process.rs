//! The real programs as child processes: the `farsign` server, and the driver of a browser. Each ends exactly the
//! processes it started.

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::browser::Kind;
use crate::waiting::{self, FAILURE_BOUND, LOOK_EVERY};

/// The server: the one `cargo xtask test` names, or the workspace's release build.
pub fn server_program() -> PathBuf {
    let built = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/release/farsign");
    let program = env::var_os("FARSIGN_BIN").map_or_else(|| PathBuf::from(built), PathBuf::from);
    let program = if cfg!(windows) { program.with_extension("exe") } else { program };
    assert!(
        program.is_file(),
        "there is no server at {}; `cargo xtask test browser` builds it",
        program.display()
    );
    program
}

/// The driver of a browser.
pub fn driver_program(kind: Kind) -> PathBuf {
    match kind {
        Kind::Chromium => program("FARSIGN_CHROMEDRIVER", &["chromedriver", "chromium.chromedriver"]),
        Kind::Firefox => program("FARSIGN_GECKODRIVER", &["geckodriver"]),
    }
}

/// A browser.
pub fn browser_program(kind: Kind) -> PathBuf {
    let chromium = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    match kind {
        Kind::Chromium => program("FARSIGN_CHROMIUM", &chromium),
        Kind::Firefox => program("FARSIGN_FIREFOX", &["firefox", "firefox-esr"]),
    }
}

fn program(variable: &str, names: &[&str]) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    let candidates = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    let found =
        env::var_os(variable).map(PathBuf::from).or_else(|| candidates.into_iter().find(|c| c.is_file()));
    match found {
        Some(program) if program.is_file() => program,
        Some(program) => panic!("{variable} names {}, which is not there", program.display()),
        None => panic!("none of {names:?} is on the search path; `cargo xtask test browser` sees to it"),
    }
}

/// A child process whose output is kept, and which ends when this is dropped.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    lines: Receiver<String>,
    /// Lines taken out of `lines`.
    heard: Vec<String>,
}

impl Program {
    /// Starts it.
    pub fn start(command: &mut Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child =
            command.spawn().unwrap_or_else(|error| panic!("{name} could not be started: {error}"));
        let (tell, lines) = mpsc::channel();
        forward(child.stdout.take(), tell.clone());
        forward(child.stderr.take(), tell);
        Self { name, child, lines, heard: Vec::new() }
    }

    /// Waits for a line in which `find` finds something.
    pub fn find_line<T>(&mut self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            let left = FAILURE_BOUND.saturating_sub(started.elapsed());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("{} ended or fell silent before it told {what}; it said {:#?}", self.name, self.heard)
            };
            let found = find(&line);
            self.heard.push(line);
            if let Some(found) = found {
                return found;
            }
        }
    }

    /// Waits until each of these texts has been on a line, and gives all lines so far.
    fn lines_until(&mut self, texts: &[&str]) -> &[String] {
        for text in texts {
            if !self.heard.iter().any(|line| line.contains(text)) {
                self.find_line(text, |line| line.contains(text).then_some(()));
            }
        }
        &self.heard
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has ended by itself, but not forever; whether it has.
    fn ends_within(&mut self, time: Duration) -> bool {
        let started = Instant::now();
        loop {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return true;
            }
            if started.elapsed() >= time {
                return false;
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        _ = self.child.kill(); // it has ended already, then
        _ = self.child.wait();
        // Both ends of the pipes are closed now, unless a grandchild holds one; that must not be waited for.
        self.heard.extend(self.lines.try_iter());
        if std::thread::panicking() {
            eprintln!("{} said: {:#?}", self.name, self.heard);
        } else {
            let panicked = self.heard.iter().any(|line| line.contains("panicked at"));
            assert!(!panicked, "{} panicked: {:#?}", self.name, self.heard);
        }
    }
}

fn forward(pipe: Option<impl Read + Send + 'static>, tell: Sender<String>) {
    let lines = BufReader::new(pipe.expect("the pipe was asked for")).lines();
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| tell.send(line)));
}

/// A `farsign serve` on the loopback interface.
#[derive(Debug)]
pub struct Server {
    /// Program and arguments that start the server's program; empty: it is started by itself.
    launcher: Vec<String>,
    arguments: Vec<String>,
    address: SocketAddr,
    program: Option<Program>,
}

impl Server {
    /// Starts one on a free port, with seed 1 and these arguments.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_through(&[], arguments)
    }

    /// Starts one through another program, which is given the server's program and arguments after its own and has to
    /// become it.
    pub fn start_through(launcher: &[&str], arguments: &[&str]) -> Self {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<String>>();
        let (launcher, arguments) = (owned(launcher), owned(arguments));
        let (program, address) = serve(([127, 0, 0, 1], 0).into(), &launcher, &arguments);
        Self { launcher, arguments, address, program: Some(program) }
    }

    /// Ends it without warning, as a power cut would.
    pub fn kill(&mut self) {
        assert!(self.program.take().is_some(), "the server was killed before");
    }

    /// Starts it again, with the same arguments on the same port.
    pub fn start_again(&mut self) {
        assert!(self.program.is_none(), "the server still runs");
        self.program = Some(serve(self.address, &self.launcher, &self.arguments).0);
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.program.as_mut().is_none_or(|program| program.ends_within(Duration::ZERO))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    ///
    /// # Panics
    /// When it was killed.
    pub fn id(&self) -> u32 {
        self.program.as_ref().expect("the server runs").id()
    }

    /// `/api/v1/status`.
    pub fn status(&self) -> Value {
        self.ask("/api/v1/status", "")
    }

    /// The JSON of a path, for who has this token.
    pub fn ask(&self, path: &str, token: &str) -> Value {
        let url = format!("http://{}{path}", self.address);
        let request = ureq::get(url).header("authorization", format!("Bearer {token}"));
        let limits = request.config().timeout_global(Some(FAILURE_BOUND)).proxy(None).build();
        let mut response = limits.call().expect("the server answers");
        let text = response.body_mut().read_to_string().expect("the body comes");
        serde_json::from_str(&text).expect("it is JSON")
    }

    /// Waits until the status meets a condition, and gives it.
    pub fn wait_until(&self, what: &str, met: impl Fn(&Value) -> bool) -> Value {
        waiting::until(|| self.status(), what, met)
    }
}

fn serve(listen: SocketAddr, launcher: &[String], arguments: &[String]) -> (Program, SocketAddr) {
    let server = server_program();
    let mut command = match launcher {
        [] => Command::new(server),
        [launcher, its @ ..] => {
            let mut command = Command::new(launcher);
            command.args(its).arg(server);
            command
        }
    };
    // Settings come from the arguments alone.
    let settings = env::vars_os().map(|(name, _)| name);
    settings.filter(|name| name.to_string_lossy().starts_with("FARSIGN_")).for_each(|name| {
        command.env_remove(name);
    });
    command.env("FARSIGN_CONNECTIONS_PER_MINUTE", "1000000"); // each look of a test that waits is one
    command.args(["serve", "--seed", "1", "--listen", &listen.to_string()]).args(arguments);
    let mut program = Program::start(&mut command);
    let address = program
        .find_line("its address", |line| line.strip_prefix("Open http://")?.split_once(' ')?.0.parse().ok());
    (program, address)
}

/// A chromedriver or geckodriver. Dropping it ends it, and a chromedriver the browsers it started too, even when a test
/// has failed.
#[derive(Debug)]
pub struct Driver {
    program: Program,
    port: u16,
    /// Everything that it and its browsers leave behind.
    folder: TempDir,
}

impl Driver {
    /// Starts the usual one of a browser on a free port.
    pub fn start(kind: Kind) -> Self {
        Self::start_program(&driver_program(kind))
    }

    /// Starts this one on a free port.
    pub fn start_program(program: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the browser");
        let mut command = Command::new(program);
        let mut program = Program::start(command.arg("--port=0").env("TMPDIR", folder.path()));
        let port = program.find_line("its port", |line| {
            let chromium = line.strip_prefix("ChromeDriver was started successfully on port ");
            let firefox = || Some(line.split_once("Listening on 127.0.0.1:")?.1);
            chromium.and_then(|port| port.strip_suffix('.')).or_else(firefox)?.trim().parse().ok()
        });
        Self { program, port, folder }
    }

    /// A folder for a fresh browser's profile.
    pub fn profile(&self) -> PathBuf {
        self.folder.path().join("profile")
    }

    /// Waits until it, or its browser, has written each of these texts, and gives all lines so far.
    pub fn lines_until(&mut self, texts: &[&str]) -> &[String] {
        self.program.lines_until(texts)
    }

    /// Where it takes commands.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        const PATIENCE: Duration = Duration::from_secs(10);
        // A chromedriver that is killed leaves its browsers behind; one that is asked to shut down does not. A geckodriver
        // knows no such request, and its browser has ended with its session.
        let url = format!("{}/shutdown", self.url());
        let asked = ureq::get(url).config().timeout_global(Some(PATIENCE)).proxy(None).build().call().is_ok();
        if asked && !self.program.ends_within(PATIENCE) {
            eprintln!("the driver did not shut down; it is killed, and its browser may be left");
        }
    }
}
