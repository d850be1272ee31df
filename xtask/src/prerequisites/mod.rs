//! What tests and benchmarks need beyond a plain Rust installation: found on this machine, or installed.

pub mod chromium;
pub mod clock;
mod debian;
pub mod firefox;
pub mod nats;
pub mod npm;
pub mod python;
pub mod qemu;
pub mod toolchain;
pub mod tools;
mod versions;
