//! `farsign model …`

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use farsign::model::Architecture;
use farsign_server::http::export::{self, HeldOutAccuracy, TrainedModel};
use farsign_server::store::replay::replay;
use farsign_volunteer::RemoteServer;

use crate::network::NetworkArgs;
use crate::open_run::{OpenRun, StateArgs};
use crate::output::Output;

/// Maximum size of a model file: the parameters, their names and the metadata.
const MAX_MODEL_BYTES: u64 = 4 * Architecture::MAX_PARAMETERS + (1 << 20);

#[derive(Debug, Subcommand)]
pub enum Model {
    /// Write the model of a run as a safetensors file
    Export(Export),
}

#[derive(Debug, Args)]
pub struct Export {
    /// State directory of a saved run that no server uses
    #[arg(long, required_unless_present = "url", conflicts_with = "url")]
    state: Option<PathBuf>,
    /// Directory of the training data, if it was moved
    #[arg(long, conflicts_with = "url")]
    data: Option<PathBuf>,
    /// Address of a running server, for example http://127.0.0.1:8080
    #[arg(long)]
    url: Option<String>,
    /// File to write, or `-` for standard output; an existing file is replaced
    #[arg(long, value_name = "FILE")]
    out: Output,
    #[command(flatten)]
    network: NetworkArgs,
}

impl Model {
    pub fn run(self) -> anyhow::Result<()> {
        let Self::Export(Export {
            state,
            data,
            url,
            out,
            network,
        }) = self;
        let file = match (url, state) {
            (Some(url), _) => download(&network.server(&url)?)?,
            (None, Some(state)) => StateArgs { state, data }.open()?.model_file()?,
            (None, None) => unreachable!("clap requires --url or --state"),
        };
        out.write(&file)
    }
}

fn download(server: &RemoteServer) -> anyhow::Result<Vec<u8>> {
    let file = farsign_volunteer::download(server, "/api/v1/model.safetensors", MAX_MODEL_BYTES)?;
    export::check(&file).context("the server's model file is invalid")?;
    Ok(file)
}

impl OpenRun {
    /// Returns the model at the end of the journal as a safetensors file, with its held-out accuracy.
    fn model_file(&self) -> anyhow::Result<Vec<u8>> {
        let newest = self.log.newest_checkpoint()?;
        let learner = replay(&self.log, &self.config.replay_options(), newest)?;
        let run = learner.optimizer();
        let accepted = run.accepted();
        let model = TrainedModel {
            run: &self.config.run,
            data_name: &self.data.name,
            train_sha256: self.data.train.digest(),
            version: learner.moved_at(),
            accepted,
            held_out: Some(HeldOutAccuracy {
                accuracy: self.accuracy(run),
                at_accepted: accepted,
            }),
            x: &run.parameters(),
        };
        Ok(model.to_safetensors())
    }
}
