//! `cargo xtask lint`: the project's own rules, checked on the source text.

mod dependencies;
mod documents;
mod glossary;
mod imports;
mod layers;
pub mod limits;
mod log_events;
pub mod measured_files;
mod source;
mod tree;

use anyhow::{Result, bail};

use crate::shell::Shell;
use tree::Tree;

/// One violation of a rule.
#[derive(Debug)]
struct Finding {
    path: String,
    /// The line, or 0 for the whole file.
    line: usize,
    message: String,
}

/// The violations found so far.
#[derive(Debug, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, path: &str, line: usize, message: impl Into<String>) {
        self.0.push(Finding {
            path: path.to_owned(),
            line,
            message: message.into(),
        });
    }
}

/// Checks every rule and prints all violations.
///
/// # Errors
///
/// Returns an error if a rule is violated or a file cannot be read.
pub fn check(shell: &Shell) -> Result<()> {
    let tree = Tree::read(shell.root())?;
    let mut findings = Findings::default();
    source::check(&tree, &mut findings);
    dependencies::check(&tree, &mut findings);
    layers::check(&tree, &mut findings);
    imports::check(&tree, &mut findings);
    documents::check(&tree, shell.root(), &mut findings);
    log_events::check(&tree, &mut findings);
    limits::check(&tree, &mut findings);
    measured_files::check(&tree, &mut findings);
    glossary::check(&tree, &mut findings)?;
    for Finding {
        path,
        line,
        message,
    } in &findings.0
    {
        match line {
            0 => println!("{path}: {message}"),
            line => println!("{path}:{line}: {message}"),
        }
    }
    match findings.0.len() {
        0 => println!("{} files follow the project's rules", tree.files().len()),
        count => bail!("the project's rules are violated {count} times"),
    }
    Ok(())
}
