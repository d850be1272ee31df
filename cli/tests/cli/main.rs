//! Tests of the program: its commands, output, exit codes and signals.

mod command_line;
mod farsign;
#[cfg(feature = "lab")]
mod lab;
#[cfg(unix)]
mod network;
mod output_files;
mod process;
mod saved_run;
mod settings_file;
mod signals;
mod streams;
mod training_data;
