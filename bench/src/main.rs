//! Benchmarks of the project next to its peers, in one run: `cargo xtask bench`.
//!
//! Each section is a file with a function that measures and returns a [`Section`]; [`SECTIONS`] lists them. The results
//! are written to a folder as Markdown and JSON, and on request into docs/performance.md.

mod bandwidth;
mod browser;
mod document;
mod end_to_end;
mod figure;
mod fleet;
mod machine;
mod optimizer_step;
mod process;
mod report;
mod server;
mod table;
mod time_to_accuracy;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;
use farsign_bench_check::verdict;

use machine::{Machine, Paths};
use report::{Report, Section};

/// A section's name on the command line, and its function.
type Entry = (&'static str, fn(&Machine) -> Result<Section>);

/// All sections, in the order of the report.
const SECTIONS: &[Entry] = &[
    (browser::NAME, browser::run),
    (server::NAME, server::run),
    (optimizer_step::NAME, optimizer_step::run),
    (bandwidth::NAME, bandwidth::run),
    (time_to_accuracy::NAME, time_to_accuracy::run),
    (fleet::NAME, fleet::run),
];

/// The document with the generated tables, relative to the repository.
const DOCUMENT: &str = "docs/performance.md";

/// Measures the project next to its peers. `cargo xtask bench` builds the prerequisites.
#[derive(Debug, Parser)]
struct Arguments {
    /// Sections to measure; by default all
    sections: Vec<String>,

    /// Also replace the tables in docs/performance.md
    #[arg(long)]
    write: bool,

    /// Compare the server's ratio to the echo with its bound, instead of a report
    #[arg(long, conflicts_with_all = ["sections", "write"])]
    check: bool,

    /// Digest of the files that a section measures, for the document
    #[arg(long, value_name = "SECTION=DIGEST")]
    files_digest: Vec<String>,

    /// Measure the section `fleet` in shorter windows, to see that it works
    #[arg(long, conflicts_with = "write")]
    quick: bool,

    /// Folder of report.md and report.json
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,

    #[command(flatten)]
    paths: Paths,
}

fn main() -> Result<()> {
    if let Some(reply_bytes) = server::echo_requested() {
        return server::serve_echo(&reply_bytes);
    }
    let arguments = Arguments::parse();
    if arguments.check {
        let all_within = verdict::report(&server::check()?);
        ensure!(
            all_within,
            "expected every ratio within its bound, found some above"
        );
        return Ok(());
    }
    let chosen = select(&arguments.sections)?;
    let machine = Machine::detect(arguments.paths, arguments.quick);
    let mut sections = Vec::new();
    let mut failures = Vec::new();
    for (name, measure) in chosen {
        eprintln!("Measuring {name} ...");
        match measure(&machine) {
            Ok(section) => sections.push(section),
            Err(error) => failures.push(format!("{name}: {error:#}")),
        }
    }
    let report = Report {
        machine: &machine,
        sections: &sections,
    };
    save(&arguments.out, &report)?;
    if arguments.write {
        let document = machine.paths.root.join(DOCUMENT);
        update(&document, &report, &arguments.files_digest)?;
    }
    println!("{}", report.markdown());
    ensure!(failures.is_empty(), "not measured: {}", failures.join("; "));
    Ok(())
}

/// Returns the named sections, or all, in the order of the report.
fn select(names: &[String]) -> Result<Vec<Entry>> {
    let known: Vec<&str> = SECTIONS.iter().map(|(name, _)| *name).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        bail!(
            "there is no section `{unknown}`; the sections are {}",
            known.join(", ")
        );
    }
    let wanted = |(name, _): &&Entry| names.is_empty() || names.iter().any(|wanted| wanted == name);
    Ok(SECTIONS.iter().filter(wanted).copied().collect())
}

fn save(folder: &Path, report: &Report<'_>) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    };
    write("report.md", report.markdown())?;
    write("report.json", format!("{:#}\n", report.json()))
}

/// Replaces the measured sections in the document. `digests` are `SECTION=DIGEST`.
///
/// The lint in `xtask/src/lint/measured_files.rs` reads the digests.
fn update(path: &Path, report: &Report<'_>, digests: &[String]) -> Result<()> {
    let mut text =
        fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    for section in report.sections {
        let mut block = format!("{}\n{}\n", section.body(), report.machine.summary());
        let digest = digests
            .iter()
            .filter_map(|digest| digest.split_once('='))
            .find(|(name, _)| *name == section.name);
        if let Some((_, digest)) = digest {
            _ = write!(block, "\n<!-- files {digest} -->\n");
        }
        text = document::replace(&text, section.name, &block)
            .with_context(|| format!("updating {}", path.display()))?;
    }
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}
