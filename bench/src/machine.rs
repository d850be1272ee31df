//! What is measured on, and where the parts to measure lie.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Where `cargo xtask bench` put things.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Paths {
    /// The repository
    #[arg(long, value_name = "FOLDER")]
    pub root: PathBuf,

    /// The release build of the server
    #[arg(long, value_name = "PROGRAM", env = "FARSIGN_BIN")]
    pub server: PathBuf,

    /// The browser; `browser` needs it
    #[arg(long, value_name = "PROGRAM", env = "FARSIGN_CHROMIUM")]
    pub chromium: Option<PathBuf>,

    /// The browser's driver; `browser` needs it
    #[arg(long, value_name = "PROGRAM", env = "FARSIGN_CHROMEDRIVER")]
    pub chromedriver: Option<PathBuf>,

    /// The generated bindings of the bench page; `browser` needs them
    #[arg(long, value_name = "FOLDER")]
    pub bindings: Option<PathBuf>,

    /// Where npm installed the peers; without it, `browser` skips them
    #[arg(long, value_name = "FOLDER")]
    pub node_modules: Option<PathBuf>,

    /// All of MNIST, to train on as well as on the built-in digits
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
}

/// The machine.
#[derive(Debug)]
pub struct Machine {
    /// Where things are.
    pub paths: Paths,
    /// What it is, and when: name and value, for the head of the report.
    pub facts: Vec<(&'static str, String)>,
}

impl Machine {
    /// Looks at this machine.
    pub fn look(paths: Paths) -> Self {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let root = paths.root.clone();
        let git =
            ["git", "-C", &root.to_string_lossy(), "describe", "--always", "--dirty"].map(str::to_owned);
        let mut facts = vec![
            ("processor", processor()),
            ("cores", cores.to_string()),
            ("system", system()),
            ("compiler", says(&["rustc", "--version"])),
            ("commit", says(&git)),
            ("date", says(&["date", "-u", "+%Y-%m-%d"])),
        ];
        if let Some(chromium) = &paths.chromium {
            facts.push(("browser", says(&[chromium.to_string_lossy().as_ref(), "--version"])));
        }
        Self { paths, facts }
    }

    /// One line of Markdown about it.
    pub fn in_short(&self) -> String {
        let facts: Vec<String> = self.facts.iter().map(|(name, value)| format!("{name} {value}")).collect();
        format!("Measured with: {}.", facts.join("; "))
    }
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| env::consts::ARCH.to_owned(), |(_, name)| name.to_owned())
}

fn system() -> String {
    let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.map_or_else(|| env::consts::OS.to_owned(), |name| name.trim_matches('"').to_owned())
}

/// What a program prints, or that it is not known.
fn says(command: &[impl AsRef<str>]) -> String {
    let arguments = command[1..].iter().map(AsRef::as_ref);
    let output = Command::new(command[0].as_ref()).args(arguments).output();
    let text = output.ok().filter(|output| output.status.success()).map(|output| output.stdout);
    let text = String::from_utf8(text.unwrap_or_default()).unwrap_or_default();
    if text.trim().is_empty() { "unknown".to_owned() } else { text.trim().to_owned() }
}
