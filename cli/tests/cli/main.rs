//! Tests of the program: its commands, output, exit codes and signals.

mod command_line;
mod farsign;
#[cfg(feature = "lab")]
mod lab;
#[cfg(unix)]
mod network;
mod saved_run;
