//! Where the workspace is, and how other programs are run from it.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// Every failure here ends up as one sentence for the person at the terminal.
pub type Result<T> = std::result::Result<T, String>;

/// The workspace this program was started for.
pub struct Shell {
    root: PathBuf,
    target: PathBuf,
}

impl Shell {
    /// Finds the workspace and cargo's target folder.
    pub fn open() -> Result<Self> {
        let root = workspace_root()?;
        // Asked before anything changes folder: a relative CARGO_TARGET_DIR counts from where the person stands.
        let mut metadata = scrubbed(&cargo_program());
        metadata.args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"]);
        metadata.arg(root.join("Cargo.toml"));
        let target = json_string(&capture(&mut metadata)?, "target_directory")
            .ok_or("`cargo metadata` did not name a target folder")?;
        Ok(Self { root, target: target.into() })
    }

    /// The repository's root folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Cargo's target folder, absolute.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Where test tools are installed; ignored by git.
    pub fn tools(&self) -> PathBuf {
        self.root.join(".tools")
    }

    /// The release build of the server.
    pub fn server_binary(&self) -> PathBuf {
        self.target.join("release").join(executable("farsign"))
    }

    /// A command that runs `program` in the repository's root.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = scrubbed(program.as_ref());
        command.current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target);
        command
    }

    /// Cargo itself, the same one that started this program.
    pub fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(cargo_program());
        command.args(arguments);
        command
    }
}

/// A program's file name on this system.
pub fn executable(name: &str) -> String {
    format!("{name}{}", std::env::consts::EXE_SUFFIX)
}

/// Runs a command with this terminal; anything but success is an error.
pub fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", shown(command));
    let status = command.status().map_err(|error| cannot_start(command, &error))?;
    succeeded(command, status)
}

/// Like [`run`], but also returns what the command printed to standard output.
pub fn run_and_read(command: &mut Command) -> Result<String> {
    println!("$ {}", shown(command));
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| cannot_start(command, &error))?;
    let mut output = String::new();
    for line in child.stdout.take().into_iter().flat_map(|stdout| BufReader::new(stdout).split(b'\n')) {
        let line = line.map_err(|error| format!("`{}` could not be read: {error}", shown(command)))?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        output.push_str(&line);
        output.push('\n');
    }
    let status = child.wait().map_err(|error| format!("`{}` was lost: {error}", shown(command)))?;
    succeeded(command, status).map(|()| output)
}

/// Runs a command silently and returns what it printed to standard output.
pub fn capture(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| cannot_start(command, &error))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`{}` ended with {}: {}", shown(command), output.status, complaint.trim()));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("`{}` did not print UTF-8", shown(command)))
}

/// The first of `names` that stands on the search path.
pub fn find_program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(executable(name))))
        .find(|candidate| candidate.is_file())
}

fn succeeded(command: &Command, status: ExitStatus) -> Result<()> {
    if status.success() { Ok(()) } else { Err(format!("`{}` ended with {status}", shown(command))) }
}

fn cannot_start(command: &Command, error: &std::io::Error) -> String {
    format!("`{}` could not be started: {error}", command.get_program().to_string_lossy())
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_stem().unwrap_or(command.get_program()).to_string_lossy();
    let arguments = command.get_args().map(|argument| format!(" {}", argument.to_string_lossy()));
    std::iter::once(name.into_owned()).chain(arguments).collect()
}

fn cargo_program() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// A command without the variables that `cargo run` set for this program. Build scripts that watch them (ring's
/// does) would otherwise run again each time the caller changes between plain cargo and this program.
fn scrubbed(program: &(impl AsRef<OsStr> + ?Sized)) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let set_for_us = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || matches!(name, "CARGO_MANIFEST_DIR" | "CARGO_MANIFEST_PATH")
        });
        if set_for_us {
            command.env_remove(name);
        }
    }
    command
}

/// `cargo run` names this package's folder, whose parent is the workspace; without it, look upwards.
fn workspace_root() -> Result<PathBuf> {
    if let Some(manifest) = std::env::var_os("CARGO_MANIFEST_DIR")
        && let Some(root) = Path::new(&manifest).parent()
    {
        return Ok(root.to_owned());
    }
    let here = std::env::current_dir().map_err(|error| format!("no current folder: {error}"))?;
    here.ancestors()
        .find(|folder| folder.join("xtask/Cargo.toml").is_file())
        .map(Path::to_owned)
        .ok_or_else(|| format!("{} is not inside the repository", here.display()))
}

/// The string value of the last occurrence of `key`, which must be followed by a string.
fn json_string(json: &str, key: &str) -> Option<String> {
    let start = format!("\"{key}\":\"");
    let (_, rest) = json.rsplit_once(&start)?;
    let mut value = String::new();
    let mut letters = rest.chars();
    loop {
        match letters.next()? {
            '"' => return Some(value),
            '\\' => value.push(letters.next().filter(|letter| "\\\"/".contains(*letter))?),
            letter => value.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_string_is_found_and_unescaped() {
        let json = r#"{"packages":[],"target_directory":"C:\\work\\\"out\"","version":1}"#;
        assert_eq!(json_string(json, "target_directory").as_deref(), Some(r#"C:\work\"out""#));
    }

    #[test]
    fn a_missing_or_broken_json_string_is_none() {
        assert_eq!(json_string(r#"{"target":"x"}"#, "target_directory"), None);
        assert_eq!(json_string(r#"{"target_directory":"x"#, "target_directory"), None);
        assert_eq!(json_string(r#"{"target_directory":"\u0041"}"#, "target_directory"), None);
    }

    #[test]
    fn the_command_line_is_shown_without_folders() {
        let mut command = Command::new("bin/cargo");
        command.args(["fmt", "--check"]);
        assert_eq!(shown(&command), "cargo fmt --check");
    }

    #[test]
    fn what_a_command_prints_is_read_and_its_failure_is_an_error() {
        let output = run_and_read(Command::new(cargo_program()).arg("--version")).unwrap();
        assert!(output.starts_with("cargo "), "{output}");
        let message = run_and_read(Command::new(cargo_program()).arg("no-such-subcommand")).unwrap_err();
        assert!(message.contains("cargo no-such-subcommand"), "{message}");
    }

    #[test]
    fn a_failing_command_is_an_error_that_names_it() {
        let message = run(Command::new(cargo_program()).arg("no-such-subcommand")).unwrap_err();
        assert!(message.contains("cargo no-such-subcommand"), "{message}");
    }
}
