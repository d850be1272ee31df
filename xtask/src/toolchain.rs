//! The parts of the Rust toolchain that a minimal installation lacks.
//!
//! rust-toolchain.toml names them too, but rustup does not add anything by itself where automatic installation is
//! switched off.

use std::path::Path;

use crate::shell::{Result, Shell, capture, find_program, run};

/// What the page's part is compiled for.
pub const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Adds the WebAssembly target unless it is there.
pub fn ensure_wasm_target(shell: &Shell) -> Result<()> {
    ensure_target(shell, WASM_TARGET)
}

/// Adds a target to compile for unless it is there.
pub fn ensure_target(shell: &Shell, target: &str) -> Result<()> {
    if has_target(shell, target)? { Ok(()) } else { rustup(shell, &["target", "add", target]) }
}

/// Whether Rust can compile for a target.
pub fn has_target(shell: &Shell, target: &str) -> Result<bool> {
    let mut question = shell.command("rustc");
    question.args(["--print", "target-libdir", "--target", target]);
    Ok(Path::new(capture(&mut question)?.trim()).is_dir())
}

/// Whether there is rustup, which adds what is missing.
pub fn has_rustup() -> bool {
    find_program(&["rustup"]).is_some()
}

/// Adds the formatter and the linter unless they are there.
pub fn ensure_components(shell: &Shell) -> Result<()> {
    for (subcommand, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if capture(&mut shell.cargo(&[subcommand, "--version"])).is_err() {
            rustup(shell, &["component", "add", component])?;
        }
    }
    Ok(())
}

fn rustup(shell: &Shell, arguments: &[&str]) -> Result<()> {
    if !has_rustup() {
        return Err(format!(
            "this Rust installation lacks a part that `rustup {}` adds, and rustup is not installed; \
             install Rust with rustup, or add that part the way this Rust was installed",
            arguments.join(" ")
        ));
    }
    run(shell.command("rustup").args(arguments))
}
