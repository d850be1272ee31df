//! Files as people and other programs use them.
//!
//! [`replace()`] writes output files: it follows links, keeps modes and owners, and writes to devices and pipes instead
//! of replacing them. [`read_text`] reads text files in the encodings in which editors and shells save them.

mod replace;
mod target;
mod text;

pub use replace::{WritesPaused, create_private, pause_writes, replace};
pub use target::is_standard_output;
pub use text::{
    MAX_TEXT_BYTES, ReadTextError, TextError, decode, read_text, read_text_from, to_utf8,
};
