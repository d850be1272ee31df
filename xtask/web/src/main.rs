//! Generates the page's bindings: reads a compiled WebAssembly module, writes a folder of JavaScript and WebAssembly.
//!
//! A program of its own, because the generator takes long to compile and most commands of `xtask` do not need it.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context as _, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

/// The file of a generated folder that identifies its module and generator.
const STAMP_FILE: &str = "made-from.txt";

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [input, output] = arguments.as_slice() else {
        bail!(
            "expected two arguments, the compiled module and the folder to write; got {}",
            arguments.len()
        );
    };
    let stamp = stamp_of(input)?;
    if fs::read_to_string(output.join(STAMP_FILE)).is_ok_and(|made_from| made_from == stamp) {
        println!("{} is up to date", output.display());
        return Ok(());
    }
    let fresh = generate(input, output, &stamp)?;
    replace(output, &fresh)?;
    println!("{} is generated", output.display());
    Ok(())
}

/// Returns a text that changes with the module and with the generator.
fn stamp_of(input: &Path) -> Result<String> {
    let module = fs::read(input).with_context(|| format!("reading {}", input.display()))?;
    let mut hasher = DefaultHasher::new();
    module.hash(&mut hasher);
    let generator = wasm_bindgen_shared::version();
    Ok(format!(
        "wasm-bindgen {generator} with types, module of {} bytes, hash {:016x}\n",
        module.len(),
        hasher.finish()
    ))
}

/// Generates the folder under a temporary name beside `output`, so that `output` is complete at all times.
fn generate(input: &Path, output: &Path, stamp: &str) -> Result<PathBuf> {
    let fresh = beside(output, "new")?;
    remove(&fresh)?;
    Bindgen::new()
        .input_path(input)
        .web(true)?
        .typescript(true) // for `cargo xtask test page-lint`
        .omit_default_module_path(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(&fresh)
        .with_context(|| format!("generating bindings for {}", input.display()))?;
    fs::write(fresh.join(STAMP_FILE), stamp)?;
    Ok(fresh)
}

fn replace(output: &Path, fresh: &Path) -> Result<()> {
    let old = beside(output, "old")?;
    remove(&old)?;
    if output.exists() {
        fs::rename(output, &old).with_context(|| format!("renaming {}", output.display()))?;
    }
    fs::rename(fresh, output).with_context(|| format!("renaming to {}", output.display()))?;
    remove(&old)
}

/// Returns a hidden folder beside `output`, and so on the same file system.
fn beside(output: &Path, purpose: &str) -> Result<PathBuf> {
    let name = output
        .file_name()
        .with_context(|| format!("{} has no name", output.display()))?;
    Ok(output.with_file_name(format!(".{}-{purpose}", name.to_string_lossy())))
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    Ok(())
}
