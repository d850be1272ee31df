//! `farsign lab …`

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Subcommand;
use farsign_lab::campaign::{self, CampaignOptions};
use farsign_lab::report;
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
            Self::Compare { folders } => print!("{}", report::compare(&folders)?),
        }
        Ok(())
    }
}
