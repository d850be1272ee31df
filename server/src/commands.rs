//! The commands of the program: arguments in, output for people out. What they do is in the library.

pub mod data;
mod interrupts;
pub mod lab;
pub mod log;
pub mod model;
pub mod run;
mod saved;
pub mod serve;
pub mod volunteer;
