//! `farsign model …`

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use farsign_server::data_fetch::write_whole;
use farsign_server::export::{HeldOutAccuracy, TrainedModel};
use farsign_server::store::replay::replay;
use farsign_server::volunteer::Endpoint;

use super::saved::{Saved, Where};

#[derive(Debug, Subcommand)]
pub enum Model {
    /// Write the model of a run as a safetensors file, for other tools
    Export(Export),
}

#[derive(Debug, Args)]
pub struct Export {
    /// Folder of a saved run that no server uses
    #[arg(long, required_unless_present = "url", conflicts_with = "url")]
    state: Option<PathBuf>,
    /// Folder of its data, if that is somewhere else now
    #[arg(long, conflicts_with = "url")]
    data: Option<PathBuf>,
    /// Address of a running server, for example http://127.0.0.1:8080
    #[arg(long)]
    url: Option<Endpoint>,
    /// File to write; one that is there is replaced
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Model {
    pub fn run(self) -> anyhow::Result<()> {
        let Self::Export(Export { state, data, url, out }) = self;
        let file = match (url, state) {
            (Some(server), _) => server.model()?,
            (None, Some(state)) => Where { state, data }.open()?.model()?,
            (None, None) => unreachable!("the arguments need one of the two"),
        };
        write_whole(&out, &file).with_context(|| format!("could not write {}", out.display()))?;
        println!("{}: {} bytes", out.display(), file.len());
        Ok(())
    }
}

impl Saved {
    /// The model where the log ends, as a file. Its accuracy is measured now, so it is this model's.
    fn model(&self) -> anyhow::Result<Vec<u8>> {
        let run = replay(&self.log, self.config.optimizer(), self.log.newest_checkpoint()?)?;
        let accepted = run.accepted();
        let model = TrainedModel {
            run: &self.config.run,
            data_name: &self.data.name,
            version: self.log.cursor().version,
            accepted,
            held_out: Some(HeldOutAccuracy { accuracy: self.accuracy(&run), at_accepted: accepted }),
            x: run.x(),
        };
        Ok(model.to_safetensors())
    }
}
