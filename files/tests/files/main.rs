//! Output files and text files.

mod replace;
mod text;
