//! `farsign data …`

use std::path::PathBuf;

use clap::Subcommand;
use farsign_server::data::mnist_download::{self, FetchOptions};

use crate::network::NetworkArgs;

#[derive(Debug, Subcommand)]
pub enum Data {
    /// Download all of MNIST (70,000 digits, 11 MB) from its public mirrors and verify its digests
    Fetch {
        /// Directory for the four files
        #[arg(long, default_value = "data/mnist")]
        folder: PathBuf,
        #[command(flatten)]
        network: NetworkArgs,
    },
}

impl Data {
    pub fn run(self) -> anyhow::Result<()> {
        let Self::Fetch { folder, network } = self;
        let report = mnist_download::fetch(&FetchOptions {
            folder,
            ..network.fetch_options()?
        })?;
        println!("{report}");
        Ok(())
    }
}
