//! Tools that are compiled into `.tools`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::prerequisites::versions;
use crate::shell::{Shell, capture, executable, run};

/// The version of wasm-pack that the tests are compatible with.
const WASM_PACK_VERSION: &str = "0.15.1";

/// The version of geckodriver that the page is tested with.
const GECKODRIVER_VERSION: &str = "0.37.1";

/// Settings for a fast compilation: the tools run for seconds only.
const QUICK_BUILD: [(&str, &str); 5] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
    ("CARGO_PROFILE_RELEASE_LTO", "false"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "256"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "0"),
    // Their own lock files are unreliable, so cargo chooses dependencies that this compiler accepts.
    ("CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS", "fallback"),
];

struct Tool {
    package: &'static str,
    version: String,
    binaries: &'static [&'static str],
}

/// Compiles wasm-pack and its companions if they are missing or of another version.
pub fn install_wasm_pack(shell: &Shell) -> Result<()> {
    let lock = shell.read("Cargo.lock")?;
    let version =
        versions::locked(&lock, "wasm-bindgen").context("Cargo.lock does not name wasm-bindgen")?;
    let bindgen = Tool {
        package: "wasm-bindgen-cli",
        version: version.to_owned(),
        binaries: &["wasm-bindgen", "wasm-bindgen-test-runner"],
    };
    let pack = Tool {
        package: "wasm-pack",
        version: WASM_PACK_VERSION.to_owned(),
        binaries: &["wasm-pack"],
    };
    install_all(shell, &[bindgen, pack])
}

/// Compiles the driver of Firefox if it is missing or of another version.
pub fn install_firefox_driver(shell: &Shell) -> Result<()> {
    let version = GECKODRIVER_VERSION.to_owned();
    install_all(
        shell,
        &[Tool {
            package: "geckodriver",
            version,
            binaries: &["geckodriver"],
        }],
    )
}

/// Returns the folder of the installed programs.
pub fn programs(shell: &Shell) -> PathBuf {
    shell.tools().join("bin")
}

fn install_all(shell: &Shell, tools: &[Tool]) -> Result<()> {
    for tool in tools {
        if tool.is_installed(shell) {
            println!("{} {} is installed", tool.package, tool.version);
        } else {
            tool.install(shell)?;
        }
    }
    let leftovers = build_folder(shell);
    if leftovers.exists() {
        fs::remove_dir_all(&leftovers)
            .with_context(|| format!("removing {}", leftovers.display()))?;
    }
    Ok(())
}

/// Returns the build folder that all tools share, and with it their common dependencies.
fn build_folder(shell: &Shell) -> PathBuf {
    shell.tools().join("build")
}

impl Tool {
    fn is_installed(&self, shell: &Shell) -> bool {
        self.binaries
            .iter()
            .all(|name| self.version_matches(shell, &programs(shell).join(executable(name))))
    }

    fn version_matches(&self, shell: &Shell, program: &Path) -> bool {
        capture(shell.command(program).arg("--version"))
            .is_ok_and(|output| versions::printed(&output) == Some(&self.version))
    }

    fn install(&self, shell: &Shell) -> Result<()> {
        println!(
            "Installing {} {} into {}",
            self.package,
            self.version,
            shell.tools().display()
        );
        let started = Instant::now();
        let mut command = shell.cargo(&[
            "install",
            "--force",
            "--version",
            &self.version,
            self.package,
        ]);
        command
            .arg("--root")
            .arg(shell.tools())
            .arg("--target-dir")
            .arg(build_folder(shell));
        for name in self.binaries {
            command.args(["--bin", name]);
        }
        command.envs(QUICK_BUILD).env_remove("RUSTFLAGS");
        run(&mut command)?;
        println!(
            "Installed {} in {:.0} s",
            self.package,
            started.elapsed().as_secs_f64()
        );
        Ok(())
    }
}
