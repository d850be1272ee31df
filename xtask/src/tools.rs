//! Installs what the tests need and a plain Rust installation does not have.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::browser::{self, Browser};
use crate::shell::{Result, Shell, capture, executable, run};
use crate::{toolchain, versions};

/// The version of wasm-pack that the tests are run with.
const WASM_PACK: &str = "0.15.1";

/// The version of geckodriver that the page is tested in Firefox with.
const GECKODRIVER: &str = "0.37.1";

/// These tools run for seconds in the tests, so compiling them quickly matters more than their own speed.
const QUICK_BUILD: [(&str, &str); 5] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
    ("CARGO_PROFILE_RELEASE_LTO", "false"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "256"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "0"),
    // Their own lock files cannot be relied on, so choose dependencies that this compiler accepts.
    ("CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS", "fallback"),
];

struct Tool {
    package: &'static str,
    version: String,
    binaries: &'static [&'static str],
}

/// Makes sure of the Rust toolchain's parts and of a browser, and returns the browser to test with.
pub fn prepare_machine(shell: &Shell) -> Result<Browser> {
    toolchain::ensure_wasm_target(shell)?;
    toolchain::ensure_components(shell)?;
    browser::ensure(shell)
}

/// Compiles the tools that are missing or of another version.
pub fn install(shell: &Shell) -> Result<()> {
    install_all(shell, &needed(shell)?)
}

/// Compiles the driver of Firefox, if it is missing or of another version.
pub fn install_firefox_driver(shell: &Shell) -> Result<()> {
    let driver = Tool { package: "geckodriver", version: GECKODRIVER.to_owned(), binaries: &["geckodriver"] };
    install_all(shell, &[driver])
}

fn install_all(shell: &Shell, tools: &[Tool]) -> Result<()> {
    for tool in tools {
        if tool.is_installed(shell) {
            println!("{} {} is there", tool.package, tool.version);
        } else {
            tool.install(shell)?;
        }
    }
    let leftovers = build_folder(shell);
    if leftovers.exists() {
        fs::remove_dir_all(&leftovers)
            .map_err(|error| format!("{} could not be removed: {error}", leftovers.display()))?;
    }
    Ok(())
}

/// The folder that holds the installed programs.
pub fn programs(shell: &Shell) -> PathBuf {
    shell.tools().join("bin")
}

fn needed(shell: &Shell) -> Result<Vec<Tool>> {
    let path = shell.root().join("Cargo.lock");
    let lock = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let bindgen = versions::locked(&lock, "wasm-bindgen").ok_or("Cargo.lock does not name wasm-bindgen")?;
    Ok(vec![
        Tool {
            package: "wasm-bindgen-cli",
            version: bindgen.to_owned(),
            binaries: &["wasm-bindgen", "wasm-bindgen-test-runner"],
        },
        Tool { package: "wasm-pack", version: WASM_PACK.to_owned(), binaries: &["wasm-pack"] },
    ])
}

/// Both tools share this folder while they are built, and so the crates they have in common.
fn build_folder(shell: &Shell) -> PathBuf {
    shell.tools().join("build")
}

impl Tool {
    fn is_installed(&self, shell: &Shell) -> bool {
        self.binaries.iter().all(|name| self.version_matches(shell, &programs(shell).join(executable(name))))
    }

    fn version_matches(&self, shell: &Shell, program: &Path) -> bool {
        capture(shell.command(program).arg("--version"))
            .is_ok_and(|output| versions::printed(&output) == Some(&self.version))
    }

    fn install(&self, shell: &Shell) -> Result<()> {
        println!("Installing {} {} into {}", self.package, self.version, shell.tools().display());
        let started = Instant::now();
        let mut command = shell.cargo(&["install", "--force", "--version", &self.version, self.package]);
        command.arg("--root").arg(shell.tools()).arg("--target-dir").arg(build_folder(shell));
        for name in self.binaries {
            command.args(["--bin", name]);
        }
        command.envs(QUICK_BUILD).env_remove("RUSTFLAGS");
        run(&mut command)?;
        println!("Installed {} in {:.0} s", self.package, started.elapsed().as_secs_f64());
        Ok(())
    }
}
