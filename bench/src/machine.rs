//! The machine of the measurements, and the paths of the programs to measure.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// The paths of programs and files, as passed by `cargo xtask bench`.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Paths {
    /// Root of the repository
    #[arg(long, value_name = "FOLDER")]
    pub root: PathBuf,

    /// Release build of `farsign`
    #[arg(long, value_name = "PROGRAM", env = "FARSIGN_BIN")]
    pub server: PathBuf,

    /// Browser of the sections `browser` and `fleet`
    #[arg(long, value_name = "PROGRAM", env = "FARSIGN_CHROMIUM")]
    pub chromium: Option<PathBuf>,

    /// WebDriver of the browser
    #[arg(long, value_name = "PROGRAM", env = "FARSIGN_CHROMEDRIVER")]
    pub chromedriver: Option<PathBuf>,

    /// Generated bindings of the bench page, for the section `browser`
    #[arg(long, value_name = "FOLDER")]
    pub bindings: Option<PathBuf>,

    /// Folder of the peers installed by npm; without it, `browser` omits them
    #[arg(long, value_name = "FOLDER")]
    pub node_modules: Option<PathBuf>,

    /// All of MNIST, for training in addition to the built-in digits
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
}

/// A machine.
#[derive(Debug)]
pub struct Machine {
    /// Paths of programs and files.
    pub paths: Paths,
    /// Whether windows are shorter, where a section has such a form.
    pub quick: bool,
    /// Description of the machine and the date, as names and values.
    pub facts: Vec<(&'static str, String)>,
}

impl Machine {
    /// Describes this machine.
    pub fn detect(paths: Paths, quick: bool) -> Self {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let root = paths.root.clone();
        let git = [
            "git",
            "-C",
            &root.to_string_lossy(),
            "describe",
            "--always",
            "--dirty",
        ]
        .map(str::to_owned);
        let mut facts = vec![
            ("processor", processor()),
            ("cores", cores.to_string()),
            ("system", system()),
            ("compiler", capture(&["rustc", "--version"])),
            ("commit", capture(&git)),
            ("date", capture(&["date", "-u", "+%Y-%m-%d"])),
        ];
        if let Some(chromium) = &paths.chromium {
            facts.push((
                "browser",
                capture(&[chromium.to_string_lossy().as_ref(), "--version"]),
            ));
        }
        Self {
            paths,
            quick,
            facts,
        }
    }

    /// Returns the description as a line of Markdown.
    pub fn summary(&self) -> String {
        let facts: Vec<String> = self
            .facts
            .iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        format!("Measured with: {}.", facts.join("; "))
    }
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| env::consts::ARCH.to_owned(), |(_, name)| name.to_owned())
}

fn system() -> String {
    let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.map_or_else(
        || env::consts::OS.to_owned(),
        |name| name.trim_matches('"').to_owned(),
    )
}

/// Returns the output of a program, or `unknown` if it fails.
fn capture(command: &[impl AsRef<str>]) -> String {
    let arguments = command[1..].iter().map(AsRef::as_ref);
    let output = Command::new(command[0].as_ref()).args(arguments).output();
    let text = output
        .ok()
        .filter(|output| output.status.success())
        .map(|output| output.stdout);
    let text = String::from_utf8(text.unwrap_or_default()).unwrap_or_default();
    if text.trim().is_empty() {
        "unknown".to_owned()
    } else {
        text.trim().to_owned()
    }
}
