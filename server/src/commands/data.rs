//! `farsign data …`

use std::path::PathBuf;

use clap::Subcommand;
use farsign_server::data_fetch::{self, FetchOptions};

#[derive(Debug, Subcommand)]
pub enum Data {
    /// Download full MNIST (70,000 digits, 11 MB) from its public mirrors and check it
    Fetch {
        /// Folder to put the four files in
        #[arg(long, default_value = "data/mnist")]
        folder: PathBuf,
    },
}

impl Data {
    pub fn run(self) -> anyhow::Result<()> {
        let Self::Fetch { folder } = self;
        let report = data_fetch::fetch(&FetchOptions { folder, ..FetchOptions::default() })?;
        println!("{report}");
        Ok(())
    }
}
