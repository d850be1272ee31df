//! Reports on results: Markdown with tables, and the plots beside it as SVG.
//!
//! A report is a function of an output directory: the same directory gives the same bytes.

mod markdown;
pub mod plot;
mod tables;
#[cfg(test)]
mod tests;
pub mod text_table;

use std::fmt::Write;

pub(crate) use crate::report::markdown::{accuracy, cells, percent, table};
use crate::report::plot::suite::{
    LabelledResults, attacks, over_fraction, over_time, over_updates,
};
use crate::suite::results::SuiteResults;

/// A file of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Name, without a directory.
    pub name: String,
    /// Text.
    pub text: String,
}

/// Returns the report on a suite: `{stem}.md`, and its plots.
pub fn report(results: &SuiteResults, stem: &str) -> Vec<File> {
    let labelled: [LabelledResults<'_>; 1] = [("", results)];
    let mut document = Document::new(stem);
    document.write(&format!(
        "# {}\n\n{}",
        title(results),
        introduction(results)
    ));
    document.write("## Overview\n\n");
    document.write(OVERVIEW);
    document.write(&tables::overview(&labelled));
    if !results.scenario.attacks.is_empty() {
        document.plot("fraction", FRACTION_CAPTION, over_fraction(&labelled));
    }
    for &fraction in results
        .scenario
        .run
        .byzantine_fractions
        .iter()
        .filter(|fraction| **fraction > 0.0)
    {
        let shown = percent(fraction);
        document.write(&format!("## Byzantine fraction {shown}\n\n"));
        document.write(ATTACKS);
        document.write(&tables::attacks(results, fraction));
        let name = format!("attacks-{}", shown.trim_end_matches(" %"));
        let caption = format!("Accuracy at a Byzantine fraction of {shown}");
        document.plot(&name, &caption, attacks(results, fraction));
    }
    document.write("## Speed\n\n");
    document.write(SPEED);
    document.write(&tables::speed(results));
    document.plot("updates", UPDATES_CAPTION, over_updates(&labelled, None));
    document.plot("time", TIME_CAPTION, over_time(&labelled, None));
    document.section("Verification", VERIFICATION, tables::verification(results));
    document.section("Versions", VERSIONS, tables::versions(results));
    document.section("Task sizes", TASK_SIZES, tables::task_sizes(results));
    document.write("## Learning rates\n\n");
    document.write(LEARNING_RATES);
    document.write(&tables::learning_rates(results));
    document.write(&format!(
        "## Scenario\n\n```toml\n{}\n```\n",
        results.manifest.scenario.trim_end()
    ));
    document.files()
}

/// Returns a comparison of several suites: `{stem}.md`, and plots that show all of them.
pub fn comparison(suites: &[LabelledResults<'_>], stem: &str) -> Vec<File> {
    let mut document = Document::new(stem);
    let names: Vec<&str> = suites.iter().map(|(name, _)| *name).collect();
    document.write(&format!("# {}\n\n", names.join(", ")));
    for (name, results) in suites {
        document.write(&format!("**{name}.** {}", introduction(results)));
    }
    document.write(OVERVIEW);
    document.write(&tables::overview(suites));
    document.plot("fraction", FRACTION_CAPTION, over_fraction(suites));
    document.plot("updates", UPDATES_CAPTION, over_updates(suites, None));
    document.plot("time", TIME_CAPTION, over_time(suites, None));
    document.files()
}

const FRACTION_CAPTION: &str = "Accuracy under the worst attack, by Byzantine fraction";
const UPDATES_CAPTION: &str = "Accuracy over updates, without an attack";
const TIME_CAPTION: &str = "Accuracy over simulated time, without an attack";

const OVERVIEW: &str = "Held-out accuracy at the end of a run in percent: mean ± standard deviation over seeds, without an \
    attack and under the attack with the lowest mean. A method *tolerates* the largest Byzantine fraction up to which every \
    run, under every attack, ends within the breaking distance of the method's mean without an attack. The *reference* is \
    centralized training on one machine, without attackers.\n\n";

const ATTACKS: &str = "Held-out accuracy at the end of a run in percent: mean ± standard deviation over seeds. The worst \
    attack on each method is in bold. The fraction is of the workers and, except under `flooding` and `stale`, of the \
    updates.\n\n";

const SPEED: &str = "Without an attack: mean ± standard deviation over seeds. An entry – means that not every seed reached \
    80 %. Accuracy is measured at the points of a curve, so a figure may be late by the distance of two points. Time is \
    simulated. Staleness is the number of steps that the server takes between issuing a task's parameters and receiving its \
    update.\n\n";

const VERIFICATION: &str = "Updates that the server recomputed to verify them, as a fraction of all updates; under attack, \
    the mean over all attacks. Ejected attackers are the mean over all attacked runs, counted by identity, so an attacker \
    that rejoins counts again. Ejected honest workers are the sum over all runs.\n\n";

const VERSIONS: &str = "Without an attack: mean ± standard deviation over seeds. *Published*: workers compute on versions that \
    are rounded to the grid, as in the product. *Exact*: they compute on the parameters that the versions were rounded from. \
    *Bits* are those of the coded differences from the version that a worker holds to that of its next task, a parameter.\n\n";

const TASK_SIZES: &str = "Images of an update where tasks are sized to their workers, as in the product: mean ± standard \
    deviation over seeds; under attack, the mean over all attacks. Without sized tasks, all have as many.\n\n";

const LEARNING_RATES: &str = "Initial learning rates that tuning chose, and their factors on the scenario's values. *Edge* \
    marks the smallest and the largest factor of the grid: a better one may be beyond it.\n\n";

fn title(results: &SuiteResults) -> String {
    let hidden = &results.scenario.model.hidden;
    let widths: Vec<String> = hidden.iter().map(ToString::to_string).collect();
    if hidden.is_empty() {
        "Softmax".to_owned()
    } else {
        format!("Network {}", widths.join("-"))
    }
}

fn introduction(results: &SuiteResults) -> String {
    let run = &results.scenario.run;
    let manifest = &results.manifest;
    let seeds: Vec<String> = run.seeds.iter().map(ToString::to_string).collect();
    format!(
        "Written by `farsign lab`, version {} (revision {}): {} updates per run, {} workers, seeds {}, breaking distance \
         {}. Training data {}…, held-out data {}… (SHA-256).\n\n",
        manifest.version,
        manifest.revision,
        run.updates,
        results.scenario.fleet.workers,
        seeds.join(", "),
        percent(run.breaking_distance),
        &manifest.train_sha256[..12.min(manifest.train_sha256.len())],
        &manifest.test_sha256[..12.min(manifest.test_sha256.len())],
    )
}

/// A document and its plots.
struct Document<'a> {
    stem: &'a str,
    text: String,
    plots: Vec<File>,
}

impl<'a> Document<'a> {
    fn new(stem: &'a str) -> Self {
        Self {
            stem,
            text: String::new(),
            plots: Vec::new(),
        }
    }

    fn write(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Writes a section with a table, if there is one.
    fn section(&mut self, title: &str, introduction: &str, table: Option<String>) {
        if let Some(table) = table {
            self.write(&format!("## {title}\n\n{introduction}{table}"));
        }
    }

    fn plot(&mut self, name: &str, caption: &str, svg: String) {
        let name = format!("{}-{name}.svg", self.stem);
        write!(self.text, "![{caption}]({name})\n\n*{caption}.*\n\n")
            .expect("writing to a String is infallible");
        self.plots.push(File { name, text: svg });
    }

    fn files(self) -> Vec<File> {
        let text = File {
            name: format!("{}.md", self.stem),
            text: self.text,
        };
        std::iter::once(text).chain(self.plots).collect()
    }
}
