//! The location of the workspace, and how other programs are run from it.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use regex_lite::Regex;

/// The package and program that runs a Wasm test in a browser.
pub const WASM_TEST_RUNNER: &str = "xtask-wasm-test-runner";

/// The workspace that this program was started for.
pub struct Shell {
    root: PathBuf,
    target: PathBuf,
}

impl Shell {
    /// Finds the workspace and cargo's target folder.
    pub fn open() -> Result<Self> {
        let root = workspace_root()?;
        // Before any change of folder: a relative CARGO_TARGET_DIR counts from the current one.
        let mut metadata = scrubbed(&cargo_program());
        metadata.args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--manifest-path",
        ]);
        metadata.arg(root.join("Cargo.toml"));
        let target = target_directory(&capture(&mut metadata)?)
            .context("`cargo metadata` did not name a target folder")?;
        Ok(Self {
            root,
            target: target.into(),
        })
    }

    /// Returns the repository's root folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns cargo's target folder, absolute.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Returns the folder of installed test tools, which git ignores.
    pub fn tools(&self) -> PathBuf {
        self.root.join(".tools")
    }

    /// Returns the release build of the program `farsign`.
    pub fn release_program(&self) -> PathBuf {
        self.target.join("release").join(executable("farsign"))
    }

    /// Returns the build of the program `farsign` for this machine.
    pub fn local_program(&self) -> PathBuf {
        self.target.join("local").join(executable("farsign"))
    }

    /// Returns the build of the program `farsign` that is tested.
    pub fn tested_program(&self) -> PathBuf {
        self.target.join("debug").join(executable("farsign"))
    }

    /// Reads a file named relative to the repository's root.
    pub fn read(&self, path: &str) -> Result<String> {
        std::fs::read_to_string(self.root.join(path)).with_context(|| path.to_owned())
    }

    /// Creates a command that runs `program` in the repository's root.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = scrubbed(program.as_ref());
        command
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target);
        command
    }

    /// Creates a cargo command for the whole workspace, without the runner of Wasm tests.
    ///
    /// Compiling that program's dependencies takes long, and only tests of Wasm need it. The same selection everywhere
    /// gives shared dependencies the same features, so they are compiled once.
    pub fn cargo_workspace(&self, subcommand: &str) -> Command {
        self.cargo(&[subcommand, "--workspace", "--exclude", WASM_TEST_RUNNER])
    }

    /// Creates a command for the cargo that started this program.
    pub fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(cargo_program());
        command.args(arguments);
        command
    }
}

/// Returns a program's file name on this system.
pub fn executable(name: &str) -> String {
    format!("{name}{}", std::env::consts::EXE_SUFFIX)
}

/// Runs a command with this terminal.
///
/// # Errors
///
/// Returns an error if the command fails.
pub fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", display_command(command));
    let status = command.status().with_context(|| cannot_start(command))?;
    succeeded(command, status)
}

/// Runs a command as [`run`] does and returns its standard output.
pub fn run_and_read(command: &mut Command) -> Result<String> {
    println!("$ {}", display_command(command));
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| cannot_start(command))?;
    let mut output = String::new();
    for line in child
        .stdout
        .take()
        .into_iter()
        .flat_map(|stdout| BufReader::new(stdout).split(b'\n'))
    {
        let line =
            line.with_context(|| format!("reading the output of `{}`", display_command(command)))?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        output.push_str(&line);
        output.push('\n');
    }
    let status = child
        .wait()
        .with_context(|| format!("waiting for `{}`", display_command(command)))?;
    succeeded(command, status).map(|()| output)
}

/// Runs a command silently and returns its standard output.
pub fn capture(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| cannot_start(command))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!(
            "`{}` ended with {}: {}",
            display_command(command),
            output.status,
            errors.trim()
        );
    }
    String::from_utf8(output.stdout)
        .with_context(|| format!("`{}` printed invalid UTF-8", display_command(command)))
}

/// Returns the first of `names` found on the search path.
pub fn find_program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    names
        .iter()
        .flat_map(|name| {
            folders
                .iter()
                .map(move |folder| folder.join(executable(name)))
        })
        .find(|candidate| candidate.is_file())
}

fn succeeded(command: &Command, status: ExitStatus) -> Result<()> {
    ensure!(
        status.success(),
        "`{}` ended with {status}",
        display_command(command)
    );
    Ok(())
}

fn cannot_start(command: &Command) -> String {
    format!("starting `{}`", command.get_program().to_string_lossy())
}

fn display_command(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program
        .file_stem()
        .unwrap_or(command.get_program())
        .to_string_lossy();
    let arguments = command
        .get_args()
        .map(|argument| format!(" {}", argument.to_string_lossy()));
    std::iter::once(name.into_owned())
        .chain(arguments)
        .collect()
}

fn cargo_program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Creates a command without the variables that `cargo run` set for this program.
///
/// Build scripts that watch them (ring's does) would otherwise run again at each change between plain cargo and this
/// program.
fn scrubbed(program: &(impl AsRef<OsStr> + ?Sized)) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let set_by_cargo = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_")
                || matches!(name, "CARGO_MANIFEST_DIR" | "CARGO_MANIFEST_PATH")
        });
        if set_by_cargo {
            command.env_remove(name);
        }
    }
    command
}

/// Returns the parent of this package's folder, as `cargo run` names it, or else the nearest one upwards.
fn workspace_root() -> Result<PathBuf> {
    if let Some(manifest) = std::env::var_os("CARGO_MANIFEST_DIR")
        && let Some(root) = Path::new(&manifest).parent()
    {
        return Ok(root.to_owned());
    }
    let current = std::env::current_dir().context("finding the current folder")?;
    current
        .ancestors()
        .find(|folder| folder.join("xtask/Cargo.toml").is_file())
        .map(Path::to_owned)
        .with_context(|| format!("{} is not inside the repository", current.display()))
}

/// Returns the target folder named in the JSON that `cargo metadata` prints.
fn target_directory(metadata: &str) -> Option<String> {
    let pattern =
        Regex::new(r#""target_directory":"((?:[^"\\]|\\["\\/])*)""#).expect("the pattern is valid");
    let quoted = &pattern.captures(metadata)?[1];
    let escape = Regex::new(r"\\(.)").expect("the pattern is valid");
    Some(escape.replace_all(quoted, "$1").into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_directory_is_unescaped() {
        let json = r#"{"packages":[],"target_directory":"C:\\work\\\"out\"","version":1}"#;
        assert_eq!(target_directory(json).as_deref(), Some(r#"C:\work\"out""#));
    }

    #[test]
    fn invalid_metadata_has_no_target_directory() {
        assert_eq!(target_directory(r#"{"target":"x"}"#), None);
        assert_eq!(target_directory(r#"{"target_directory":"x"#), None);
        assert_eq!(target_directory(r#"{"target_directory":"\u0041"}"#), None);
    }

    #[test]
    fn displayed_command_omits_folders() {
        let mut command = Command::new("bin/cargo");
        command.args(["fmt", "--check"]);
        assert_eq!(display_command(&command), "cargo fmt --check");
    }

    #[test]
    fn run_and_read_returns_output() {
        let output = run_and_read(Command::new(cargo_program()).arg("--version")).unwrap();
        assert!(output.starts_with("cargo "), "{output}");
    }

    #[test]
    fn failing_command_is_named() {
        for run in [|command: &mut Command| run_and_read(command).map(drop), run] {
            let message = run(Command::new(cargo_program()).arg("no-such-subcommand"))
                .unwrap_err()
                .to_string();
            assert!(message.contains("cargo no-such-subcommand"), "{message}");
        }
    }
}
