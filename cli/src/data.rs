//! `farsign data …`

use std::path::PathBuf;

use clap::Subcommand;
use farsign_server::data::mnist_download::{self, FetchOptions};

#[derive(Debug, Subcommand)]
pub enum Data {
    /// Download all of MNIST (70,000 digits, 11 MB) from its public mirrors and verify its digests
    Fetch {
        /// Directory for the four files
        #[arg(long, default_value = "data/mnist")]
        folder: PathBuf,
    },
}

impl Data {
    pub fn run(self) -> anyhow::Result<()> {
        let Self::Fetch { folder } = self;
        let report = mnist_download::fetch(&FetchOptions {
            folder,
            ..FetchOptions::default()
        })?;
        println!("{report}");
        Ok(())
    }
}
