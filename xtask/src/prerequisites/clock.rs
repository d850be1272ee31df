//! A library that moves a program's clock in tests.

use std::path::Path;

use crate::prerequisites::debian;
use crate::shell::Shell;

const PACKAGE: &str = "libfaketime";

/// Installs the library if it is missing and can be installed. The test reports if it runs without.
pub fn prepare(shell: &Shell) {
    let library = |arch| format!("/usr/lib/{arch}-linux-gnu/faketime/libfaketime.so.1");
    let installed = ["x86_64", "aarch64"]
        .map(library)
        .iter()
        .any(|path| Path::new(path).is_file());
    if cfg!(target_os = "linux")
        && !installed
        && let Err(error) = debian::install(shell, &[PACKAGE])
    {
        println!("{error:#}");
    }
}
