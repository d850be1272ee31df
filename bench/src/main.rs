//! Measures the project beside its peers, all in one run: `cargo xtask bench`.
//!
//! Each section is a file with a function that measures and gives a [`Section`]; [`SECTIONS`] lists them. What they
//! found is written to a folder, for people and for programs, and on request into docs/performance.md.

mod apply;
mod browser;
mod document;
mod machine;
mod report;
mod server;
mod training;
mod whole_run;
mod wire;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;

use machine::{Machine, Paths};
use report::{Report, Section};

/// One part of the report by its name on the command line.
type Entry = (&'static str, fn(&Machine) -> Result<Section>);

/// Every section, in the order of the report.
const SECTIONS: &[Entry] = &[
    ("browser", browser::run),
    ("server", server::run),
    ("apply", apply::run),
    ("wire", wire::run),
    ("training", training::run),
];

/// Where the generated tables are kept, below the repository's root.
const DOCUMENT: &str = "docs/performance.md";

/// Measures the project beside its peers; `cargo xtask bench` builds what this needs.
#[derive(Debug, Parser)]
struct Arguments {
    /// Sections to measure; all where none is named
    sections: Vec<String>,

    /// Also replace the tables in docs/performance.md
    #[arg(long)]
    write: bool,

    /// Folder for report.md and report.json
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,

    #[command(flatten)]
    paths: Paths,
}

fn main() -> Result<()> {
    if let Some(reply_bytes) = server::echo_asked_for() {
        return server::serve_echo(&reply_bytes);
    }
    let arguments = Arguments::parse();
    let chosen = select(&arguments.sections)?;
    let machine = Machine::look(arguments.paths);
    let (mut sections, mut failures) = (Vec::new(), Vec::new());
    for (name, measure) in chosen {
        eprintln!("Measuring {name} ...");
        match measure(&machine) {
            Ok(section) => sections.push(section),
            Err(error) => failures.push(format!("{name}: {error:#}")),
        }
    }
    let report = Report { machine: &machine, sections: &sections };
    save(&arguments.out, &report)?;
    if arguments.write {
        update(&machine.paths.root.join(DOCUMENT), &report)?;
    }
    println!("{}", report.markdown());
    ensure!(failures.is_empty(), "not measured: {}", failures.join("; "));
    Ok(())
}

/// The named sections, or all, in the order of the report.
fn select(names: &[String]) -> Result<Vec<Entry>> {
    let known: Vec<&str> = SECTIONS.iter().map(|(name, _)| *name).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("there is no section `{unknown}`; the sections are {}", known.join(", "));
    }
    let wanted = |(name, _): &&Entry| names.is_empty() || names.iter().any(|wanted| wanted == name);
    Ok(SECTIONS.iter().filter(wanted).copied().collect())
}

fn save(folder: &Path, report: &Report<'_>) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    };
    write("report.md", report.markdown())?;
    write("report.json", format!("{:#}\n", report.json()))
}

/// Replaces what the document has on the sections that were measured.
fn update(path: &Path, report: &Report<'_>) -> Result<()> {
    let mut text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    for section in report.sections {
        let block = format!("{}\n{}\n", section.body(), report.machine.in_short());
        text = document::replace(&text, section.name, &block)
            .with_context(|| format!("updating {}", path.display()))?;
    }
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}
