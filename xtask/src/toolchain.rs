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
    let mut question = shell.command("rustc");
    question.args(["--print", "target-libdir", "--target", WASM_TARGET]);
    if Path::new(capture(&mut question)?.trim()).is_dir() {
        return Ok(());
    }
    rustup(shell, &["target", "add", WASM_TARGET])
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
    if find_program(&["rustup"]).is_none() {
        return Err(format!(
            "this Rust installation lacks a part that `rustup {}` adds, and rustup is not installed; \
             install Rust with rustup, or add that part the way this Rust was installed",
            arguments.join(" ")
        ));
    }
    run(shell.command("rustup").args(arguments))
}
