//! `farsign lab …`

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use farsign_lab::data::ExperimentData;
use farsign_lab::report::{self, File, text_table};
use farsign_lab::scenario::Scenario;
use farsign_lab::studies::convergence::{self, ConvergenceOptions};
use farsign_lab::studies::tolerance;
use farsign_lab::suite::results::SuiteResults;
use farsign_lab::suite::{self, SuiteOptions};
use farsign_server::config::settings::PixelOrderKind;
use farsign_server::data::loader::{DataSource, TrainAndHeldOut};

use crate::load_data;
use crate::logging::LogFormat;
use crate::output::path_parser;
use crate::{input, streams};

#[derive(Debug, Subcommand)]
pub enum Lab {
    /// Run a scenario, or resume an interrupted run
    Run {
        /// Scenario, a TOML file; `-` is standard input
        file: PathBuf,

        /// Output directory
        #[arg(long, value_parser = path_parser())]
        out: PathBuf,

        /// Number of seeds [default: the scenario's]
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
        seeds: Option<u16>,

        /// Number of threads [default: one per core]
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
        threads: Option<u16>,

        #[command(flatten)]
        data: DataArgs,
    },
    /// Compare the results of several runs
    Compare {
        /// Output directories of `farsign lab run`
        #[arg(required = true, value_name = "DIR")]
        dirs: Vec<PathBuf>,

        /// Markdown file for tables; plots of all results are written beside it
        #[arg(long, value_name = "FILE.md")]
        out: Option<PathBuf>,
    },
    /// Write a report with tables and plots
    Report {
        /// Output directory of `farsign lab run`
        dir: PathBuf,

        /// Markdown file for tables; plots (SVG) are written beside it
        #[arg(long, value_name = "FILE.md")]
        out: PathBuf,
    },
    /// Measure the rate of convergence, and compare it with the paper's exponents
    Convergence {
        /// Markdown file for the table; the plot (SVG) is written beside it
        #[arg(long, value_name = "FILE.md")]
        out: PathBuf,

        /// Updates of a run
        #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
        updates: u64,

        /// Number of seeds
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
        seeds: u16,
    },
    /// Compare the server's tolerance estimate with the ground truth of a simulation
    Tolerance {
        /// Markdown file for the tables; the plot (SVG) is written beside it
        #[arg(long, value_name = "FILE.md")]
        out: PathBuf,

        #[command(flatten)]
        data: DataArgs,
    },
}

#[derive(Debug, Args)]
pub struct DataArgs {
    /// Directory with four IDX files for training and testing [default: the built-in digits]
    #[arg(long)]
    data: Option<PathBuf>,

    /// Order in which these files store the pixels of an image: rows, or columns as in EMNIST [default: rows]
    #[arg(long, requires = "data")]
    pixel_order: Option<PixelOrderKind>,
}

impl DataArgs {
    fn load(self) -> anyhow::Result<TrainAndHeldOut> {
        let source = DataSource {
            folder: self.data,
            pixel_order: self.pixel_order.map(Into::into),
        };
        Ok(load_data::load(&source, LogFormat::Text)?.data)
    }
}

impl Lab {
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Run {
                file,
                out,
                seeds,
                threads,
                data,
            } => {
                let scenario = input::read(&file)?;
                let options = SuiteOptions {
                    scenario,
                    seeds: seeds.map(usize::from),
                    threads: threads.map(usize::from),
                    fault: None,
                };
                let data = data.load()?;
                let report = suite::run(&options, &data.train, &data.held_out, &out)?;
                streams::print(text_table::table(&[(
                    out.display().to_string(),
                    report.summary,
                )]))?;
                if !report.violations.is_empty() {
                    bail!(
                        "the results violate assertions of the scenario:\n{}",
                        report.violations.join("\n")
                    );
                }
            }
            Self::Compare { dirs, out } => {
                streams::print(text_table::compare(&dirs)?)?;
                if let Some(out) = out {
                    write_comparison(&dirs, &out)?;
                }
            }
            Self::Report { dir, out } => {
                let results = SuiteResults::read(&dir)?;
                write_files(&out, |stem| report::report(&results, stem))?;
            }
            Self::Convergence {
                out,
                updates,
                seeds,
            } => {
                let seeds = (1..=u64::from(seeds)).collect();
                let options = ConvergenceOptions {
                    seeds,
                    ..ConvergenceOptions::default()
                };
                let rates = convergence::measure(&convergence::cases(updates), &options);
                write_files(&out, |stem| convergence::document(&rates, &options, stem))?;
            }
            Self::Tolerance { out, data } => {
                let data = data.load()?;
                let scenario = Scenario::from_toml(tolerance::SCENARIO)?;
                let data = ExperimentData::new(&scenario, &data.train, &data.held_out)?;
                let checkpoints = tolerance::measure(&scenario, &data);
                write_files(&out, |stem| tolerance::document(&checkpoints, stem))?;
            }
        }
        Ok(())
    }
}

fn write_comparison(dirs: &[PathBuf], out: &Path) -> anyhow::Result<()> {
    let results: Vec<SuiteResults> = dirs
        .iter()
        .map(|dir| SuiteResults::read(dir))
        .collect::<Result<_, _>>()?;
    let names: Vec<String> = dirs.iter().map(|dir| dir.display().to_string()).collect();
    let labelled: Vec<(&str, &SuiteResults)> =
        names.iter().map(String::as_str).zip(&results).collect();
    write_files(out, |stem| report::comparison(&labelled, stem))
}

/// Writes a document and its plots. `files` receives the stem of the document's name.
fn write_files(out: &Path, files: impl FnOnce(&str) -> Vec<File>) -> anyhow::Result<()> {
    if out.extension() != Some(OsStr::new("md")) {
        bail!(
            "--out: expected the name of a .md file, found {}",
            out.display()
        )
    }
    // The document refers to its plots by names that begin with the stem.
    let Some(stem) = out.file_stem().and_then(OsStr::to_str) else {
        bail!("--out: expected a name in UTF-8, found {}", out.display())
    };
    for File { name, text } in files(stem) {
        let path = out.with_file_name(name);
        farsign_files::replace(&path, text.as_bytes())
            .with_context(|| format!("could not write {}", path.display()))?;
        streams::print(format_args!("{}\n", path.display()))?;
    }
    Ok(())
}
