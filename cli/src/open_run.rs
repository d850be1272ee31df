//! A saved run that no server uses, opened by a command.

use std::path::PathBuf;

use clap::Args;
use farsign::kernels::sparse::Kernel;
use farsign::optimizer::FarSign;
use farsign_server::config::pinned::resume;
use farsign_server::data::loader::TrainAndHeldOut;
use farsign_server::store::run_database::RunDatabase;
use farsign_server::store::saved_run::verify_dataset;
use farsign_server::store::saved_values::RunIdentity;
use farsign_server::store::state_dir::StateDir;
use farsign_server::{Config, Settings};

use crate::load_data;
use crate::logging::LogFormat;

#[derive(Debug, Args)]
pub struct StateArgs {
    /// State directory of the saved run
    #[arg(long, env = "FARSIGN_STATE")]
    pub state: PathBuf,
    /// Directory of the training data, if it was moved
    #[arg(long, env = "FARSIGN_DATA")]
    pub data: Option<PathBuf>,
}

/// A saved run whose state directory is locked.
pub struct OpenRun {
    pub state_dir: StateDir,
    pub log: RunDatabase,
    pub config: Config,
    pub data: TrainAndHeldOut,
}

impl StateArgs {
    /// Locks the state directory and opens its run.
    ///
    /// # Errors
    /// Returns an error if the directory is in use or its run or data cannot be read.
    pub fn open(self) -> anyhow::Result<OpenRun> {
        let state_dir = StateDir::lock_existing(&self.state)?;
        let log = state_dir.open_undamaged()?;
        let given = Settings {
            data: self.data,
            ..Settings::default()
        };
        let (config, data) = configure(log.identity(), given, LogFormat::Text)?;
        Ok(OpenRun {
            state_dir,
            log,
            config,
            data,
        })
    }
}

/// Loads the data of a run, and returns it with the configuration of the run: the pinned settings, and `given` ones that do
/// not contradict them.
///
/// # Errors
/// Returns an error if a setting contradicts a pinned one, or the data cannot be read or is not that of the run.
pub fn configure(
    identity: &RunIdentity,
    given: Settings,
    log_format: LogFormat,
) -> anyhow::Result<(Config, TrainAndHeldOut)> {
    let settings = resume(given, identity)?;
    let data = load_data::load(&settings.data_source(), log_format)?.data;
    verify_dataset(identity, data.shards.data())?;
    let config = Config::new(&settings, &data, identity.seed)?;
    Ok((config, data))
}

impl OpenRun {
    /// Returns the accuracy of a model on the held-out images, 0 to 1.
    pub fn accuracy(&self, run: &FarSign) -> f32 {
        let mut kernel = Kernel::new(&self.config.run.architecture);
        kernel
            .evaluate(&run.parameters(), &self.data.held_out)
            .accuracy
    }
}
