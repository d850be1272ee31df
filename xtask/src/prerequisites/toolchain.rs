//! Parts of the Rust toolchain that a minimal installation lacks.
//!
//! rust-toolchain.toml names them too, but rustup does not add them where automatic installation is switched off.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::shell::{Shell, capture, find_program, run};

/// The target of the page's WebAssembly part.
pub const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Adds the WebAssembly target if it is missing.
pub fn ensure_wasm_target(shell: &Shell) -> Result<()> {
    ensure_target(shell, WASM_TARGET)
}

/// Adds a compilation target if it is missing.
pub fn ensure_target(shell: &Shell, target: &str) -> Result<()> {
    if has_target(shell, target)? {
        Ok(())
    } else {
        rustup(shell, &["target", "add", target])
    }
}

/// Returns whether Rust can compile for a target.
pub fn has_target(shell: &Shell, target: &str) -> Result<bool> {
    let mut command = shell.command("rustc");
    command.args(["--print", "target-libdir", "--target", target]);
    Ok(Path::new(capture(&mut command)?.trim()).is_dir())
}

/// Returns the target of this machine.
pub fn own_target(shell: &Shell) -> Result<String> {
    let output = capture(shell.command("rustc").args(["--print", "host-tuple"]))?;
    Ok(output.trim().to_owned())
}

/// Returns whether rustup is on the search path.
pub fn has_rustup() -> bool {
    find_program(&["rustup"]).is_some()
}

/// Adds the formatter and clippy if they are missing.
pub fn ensure_components(shell: &Shell) -> Result<()> {
    for (subcommand, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if capture(&mut shell.cargo(&[subcommand, "--version"])).is_err() {
            rustup(shell, &["component", "add", component])?;
        }
    }
    Ok(())
}

fn rustup(shell: &Shell, arguments: &[&str]) -> Result<()> {
    ensure!(
        has_rustup(),
        "this Rust installation lacks a part that `rustup {}` adds, and rustup is not installed; install Rust with \
         rustup, or add that part the way this Rust was installed",
        arguments.join(" ")
    );
    run(shell.command("rustup").args(arguments))
}
