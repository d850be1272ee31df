//! `farsign lab …`

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Subcommand;
use farsign_lab::archive::Archive;
use farsign_lab::calibration;
use farsign_lab::campaign::{self, CampaignOptions};
use farsign_lab::document::{self, File};
use farsign_lab::materials::Materials;
use farsign_lab::rate::{self, RateOptions};
use farsign_lab::report;
use farsign_lab::scenario::Scenario;
use farsign_server::dataset_source;

#[derive(Debug, Subcommand)]
pub enum Lab {
    /// Run a scenario, or go on with one that was interrupted
    Run {
        /// The scenario, a TOML file
        file: PathBuf,

        /// Folder for the results
        #[arg(long)]
        out: PathBuf,

        /// Number of seeds, in place of the scenario's
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
        seeds: Option<u16>,

        /// Threads [default: one for each core]
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
        threads: Option<u16>,

        /// Folder with four IDX files to train and test on [default: the built-in digits]
        #[arg(long)]
        data: Option<PathBuf>,
    },
    /// Put results beside each other
    Compare {
        /// Folders that `farsign lab run` has filled
        #[arg(required = true, value_name = "DIR")]
        folders: Vec<PathBuf>,

        /// Markdown file for tables, with plots beside it in which the results lie over each other
        #[arg(long, value_name = "FILE.md")]
        out: Option<PathBuf>,
    },
    /// Write results up, with tables and plots
    Report {
        /// Folder that `farsign lab run` has filled
        folder: PathBuf,

        /// Markdown file for the tables; the plots, SVG, go beside it
        #[arg(long, value_name = "FILE.md")]
        out: PathBuf,
    },
    /// Measure how fast gradients vanish, beside the exponents of the paper
    Rate {
        /// Markdown file for the table; the plot, SVG, goes beside it
        #[arg(long, value_name = "FILE.md")]
        out: PathBuf,

        /// Messages of a run
        #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
        messages: u64,

        /// Number of seeds
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
        seeds: u16,
    },
    /// Put a host's safety readout beside the truth that a simulation knows
    Calibrate {
        /// Markdown file for the tables; the plot, SVG, goes beside it
        #[arg(long, value_name = "FILE.md")]
        out: PathBuf,

        /// Folder with four IDX files to train and test on [default: the built-in digits]
        #[arg(long)]
        data: Option<PathBuf>,
    },
}

impl Lab {
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Run { file, out, seeds, threads, data } => {
                let scenario = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
                let data = dataset_source::load(data.as_deref())?;
                let (seeds, threads) = (seeds.map(usize::from), threads.map(usize::from));
                let options = CampaignOptions { scenario, seeds, threads, fault: None };
                let results = campaign::run(&options, &data.train, &data.held_out, &out)?;
                print!("{}", report::table(&[(out.display().to_string(), results.summary)]));
                if !results.missed.is_empty() {
                    bail!("the scenario expects other results:\n{}", results.missed.join("\n"));
                }
            }
            Self::Compare { folders, out } => {
                print!("{}", report::compare(&folders)?);
                if let Some(out) = out {
                    compare(&folders, &out)?;
                }
            }
            Self::Report { folder, out } => {
                let archive = Archive::read(&folder)?;
                write_all(&out, |stem| document::report(&archive, stem))?;
            }
            Self::Rate { out, messages, seeds } => {
                let seeds = (1..=u64::from(seeds)).collect();
                let options = RateOptions { seeds, ..RateOptions::default() };
                let rates = rate::measure(&rate::cases(messages), &options);
                write_all(&out, |stem| rate::document(&rates, &options, stem))?;
            }
            Self::Calibrate { out, data } => {
                let data = dataset_source::load(data.as_deref())?;
                let scenario = Scenario::from_toml(calibration::SCENARIO)?;
                let materials = Materials::new(&scenario, &data.train, &data.held_out)?;
                let found = calibration::measure(&scenario, &materials);
                write_all(&out, |stem| calibration::document(&found, stem))?;
            }
        }
        Ok(())
    }
}

fn compare(folders: &[PathBuf], out: &Path) -> anyhow::Result<()> {
    let archives: Vec<Archive> =
        folders.iter().map(|folder| Archive::read(folder)).collect::<Result<_, _>>()?;
    let names: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    let named: Vec<(&str, &Archive)> = names.iter().map(String::as_str).zip(&archives).collect();
    write_all(out, |stem| document::comparison(&named, stem))
}

/// Writes a document that is made for the name of its file, and the plots beside it.
fn write_all(out: &Path, made: impl FnOnce(&str) -> Vec<File>) -> anyhow::Result<()> {
    let stem = out.file_stem().and_then(OsStr::to_str).filter(|_| out.extension() == Some(OsStr::new("md")));
    let Some(stem) = stem else { bail!("--out: expected the name of a .md file, found {}", out.display()) };
    for File { name, text } in made(stem) {
        let path = out.with_file_name(name);
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        println!("{}", path.display());
    }
    Ok(())
}
