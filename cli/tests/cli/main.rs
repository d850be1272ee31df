//! Tests of the program: its commands, output, exit codes and signals.

mod command_line;
mod farsign;
#[cfg(feature = "lab")]
mod lab;
mod output_files;
mod process;
#[cfg(unix)]
mod network;
mod saved_run;
mod training_data;
mod settings_file;
mod signals;
mod streams;
