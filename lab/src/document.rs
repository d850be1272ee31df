//! Results as documents: Markdown with tables, and the plots that it shows, as SVG beside it.
//!
//! Everything in them comes from the folder of a campaign, and the same folder gives the same bytes.

mod table;
mod tables;
#[cfg(test)]
mod tests;

use std::fmt::Write;

use crate::archive::Archive;
use crate::plot::campaign::{Named, attacks, over_messages, over_share, over_time};
use table::percent;
pub(crate) use table::{accuracy, cells, table};

/// A file to write: its name, and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name, without a folder.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// The report on a campaign: `{stem}.md`, and its plots.
pub fn report(archive: &Archive, stem: &str) -> Vec<File> {
    let named: [Named<'_>; 1] = [("", archive)];
    let mut document = Document::new(stem);
    document.write(&format!("# {}\n\n{}", title(archive), introduction(archive)));
    document.write("## Overview\n\n");
    document.write(OVERVIEW);
    document.write(&tables::overview(&named));
    document.plot("share", "Accuracy under the worst attack, by the liars' share", over_share(&named));
    for &share in archive.scenario.run.shares.iter().filter(|share| **share > 0.0) {
        document.write(&format!("## A share of liars of {}\n\n", percent(share)));
        document.write(ATTACKS);
        document.write(&tables::attacks(archive, share));
        let name = format!("attacks-{}", percent(share).trim_end_matches(" %"));
        document.plot(&name, &format!("Accuracy, liars with {}", percent(share)), attacks(archive, share));
    }
    document.write("## Speed\n\n");
    document.write(SPEED);
    document.write(&tables::speed(archive));
    document.plot("messages", "Accuracy over messages, without liars", over_messages(&named, None));
    document.plot("time", "Accuracy over simulated time, without liars", over_time(&named, None));
    document.write("## Checks\n\n");
    document.write(CHECKS);
    document.write(&tables::checks(archive));
    document.write("## Rates\n\n");
    document.write(RATES);
    document.write(&tables::rates(archive));
    document.write(&format!("## Scenario\n\n```toml\n{}\n```\n", archive.manifest.scenario.trim_end()));
    document.files()
}

/// Several campaigns side by side: `{stem}.md`, and plots in which they lie over each other.
pub fn comparison(campaigns: &[Named<'_>], stem: &str) -> Vec<File> {
    let mut document = Document::new(stem);
    let names: Vec<&str> = campaigns.iter().map(|(name, _)| *name).collect();
    document.write(&format!("# {}\n\n", names.join(", ")));
    for (name, archive) in campaigns {
        document.write(&format!("**{name}.** {}", introduction(archive)));
    }
    document.write(OVERVIEW);
    document.write(&tables::overview(campaigns));
    document.plot("share", "Accuracy under the worst attack, by the liars' share", over_share(campaigns));
    document.plot("messages", "Accuracy over messages, without liars", over_messages(campaigns, None));
    document.plot("time", "Accuracy over simulated time, without liars", over_time(campaigns, None));
    document.files()
}

const OVERVIEW: &str = "Held-out accuracy at the end of a run in per cent: mean ± standard deviation over seeds, and the \
    same under the attack with the lowest mean. A method *stands up to* the largest share up to which every single run, \
    under whatever attack, ends within the breaking distance of the method's mean without liars. The control is one machine \
    that no liar reaches.\n\n";

const ATTACKS: &str = "Held-out accuracy at the end of a run in per cent, mean ± standard deviation over seeds. The worst \
    attack on each method is bold. The share is of the workers, and of the messages but under `fast` and `slow`.\n\n";

const SPEED: &str = "Without liars, mean ± standard deviation over seeds. An entry – means that not every seed reached 80 % \
    at a point of its curve; what is between two points is not seen, so that a figure may be late by as much as their \
    distance. Time is that of the simulated clock. Staleness is the number of the server's updates between a task's \
    parameters and its answer.\n\n";

const CHECKS: &str = "Answers that the server computed again, as a share of the messages; the mean over all attacks where \
    there are liars. Of removed workers the liars are a mean over all attacked runs, by name, so that who comes back counts \
    again; the honest ones are all of all runs.\n\n";

const RATES: &str = "The step sizes at the start that were chosen, and the factor on the scenario's that each came of. *Edge* \
    marks the smallest and the largest of the grid: a better one may lie beyond.\n\n";

fn title(archive: &Archive) -> String {
    let hidden = &archive.scenario.model.hidden;
    let widths: Vec<String> = hidden.iter().map(ToString::to_string).collect();
    if hidden.is_empty() { "Softmax".to_owned() } else { format!("Network {}", widths.join("-")) }
}

fn introduction(archive: &Archive) -> String {
    let (run, manifest) = (&archive.scenario.run, &archive.manifest);
    let seeds: Vec<String> = run.seeds.iter().map(ToString::to_string).collect();
    format!(
        "Written by `farsign lab`, version {} (revision {}): {} messages a run, {} workers, seeds {}, breaking distance {}. Training data \
         {}…, held-out data {}… (SHA-256).\n\n",
        manifest.version,
        manifest.revision,
        run.messages,
        archive.scenario.fleet.workers,
        seeds.join(", "),
        percent(run.breaking_distance),
        &manifest.train_sha256[..12.min(manifest.train_sha256.len())],
        &manifest.test_sha256[..12.min(manifest.test_sha256.len())],
    )
}

/// A document as it grows.
struct Document<'a> {
    stem: &'a str,
    text: String,
    plots: Vec<File>,
}

impl<'a> Document<'a> {
    fn new(stem: &'a str) -> Self {
        Self { stem, text: String::new(), plots: Vec::new() }
    }

    fn write(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn plot(&mut self, name: &str, caption: &str, svg: String) {
        let name = format!("{}-{name}.svg", self.stem);
        write!(self.text, "![{caption}]({name})\n\n*{caption}.*\n\n").expect("a String takes everything");
        self.plots.push(File { name, text: svg });
    }

    fn files(self) -> Vec<File> {
        let text = File { name: format!("{}.md", self.stem), text: self.text };
        std::iter::once(text).chain(self.plots).collect()
    }
}
