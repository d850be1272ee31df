//! `farsign data …`

use std::path::PathBuf;

use clap::Subcommand;
use farsign_server::data::mnist_download::{self, FetchOptions};

use crate::network::NetworkArgs;
use crate::output::path_parser;
use crate::streams;

#[derive(Debug, Subcommand)]
pub enum Data {
    /// Download all of MNIST (70,000 digits, 11 MB) from its public mirrors and verify its digests
    Fetch {
        /// Directory for the four files
        #[arg(long, default_value = "data/mnist", value_parser = path_parser())]
        folder: PathBuf,

        /// Replace files of other data that have the same names
        #[arg(long)]
        replace: bool,

        #[command(flatten)]
        network: NetworkArgs,
    },
}

impl Data {
    pub fn run(self) -> anyhow::Result<()> {
        let Self::Fetch {
            folder,
            replace,
            network,
        } = self;
        let report = mnist_download::fetch(&FetchOptions {
            folder,
            replace,
            ..network.fetch_options()?
        })?;
        streams::print(format_args!("{report}\n"))
    }
}
