//! Generates the page's bindings: a compiled WebAssembly module in, a folder of JavaScript and WebAssembly out.
//!
//! It stands apart from `xtask` because the generator takes a while to compile.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context as _, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

/// In the generated folder: which module, and which generator, it was made from.
const STAMP: &str = "made-from.txt";

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [input, output] = arguments.as_slice() else {
        bail!("expected two arguments, the compiled module and the folder to make; got {}", arguments.len());
    };
    let stamp = stamp_of(input)?;
    if fs::read_to_string(output.join(STAMP)).is_ok_and(|made_from| made_from == stamp) {
        println!("{} is up to date", output.display());
        return Ok(());
    }
    let fresh = generate(input, output, &stamp)?;
    replace(output, &fresh)?;
    println!("{} is made", output.display());
    Ok(())
}

/// A text that changes when the module or the generator does.
fn stamp_of(input: &Path) -> Result<String> {
    let module = fs::read(input).with_context(|| format!("reading {}", input.display()))?;
    let mut hasher = DefaultHasher::new();
    module.hash(&mut hasher);
    let generator = wasm_bindgen_shared::version();
    Ok(format!("wasm-bindgen {generator}, module of {} bytes, hash {:016x}\n", module.len(), hasher.finish()))
}

/// Makes the whole folder under a temporary name beside `output`, so that nobody ever sees half of it.
fn generate(input: &Path, output: &Path, stamp: &str) -> Result<PathBuf> {
    let fresh = beside(output, "new")?;
    remove(&fresh)?;
    Bindgen::new()
        .input_path(input)
        .web(true)?
        .typescript(false)
        .omit_default_module_path(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(&fresh)
        .with_context(|| format!("generating bindings for {}", input.display()))?;
    fs::write(fresh.join(STAMP), stamp)?;
    Ok(fresh)
}

fn replace(output: &Path, fresh: &Path) -> Result<()> {
    let old = beside(output, "old")?;
    remove(&old)?;
    if output.exists() {
        fs::rename(output, &old).with_context(|| format!("moving {} away", output.display()))?;
    }
    fs::rename(fresh, output).with_context(|| format!("moving {} into place", output.display()))?;
    remove(&old)
}

/// A hidden folder in the same place, and so on the same file system.
fn beside(output: &Path, purpose: &str) -> Result<PathBuf> {
    let name = output.file_name().with_context(|| format!("{} has no name", output.display()))?;
    Ok(output.with_file_name(format!(".{}-{purpose}", name.to_string_lossy())))
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    Ok(())
}
