//! A saved run that no server uses, opened to look at it.

use std::path::PathBuf;

use clap::Args;
use farsign::kernels::sparse::Kernel;
use farsign::optimizer::FarSign;
use farsign_server::config::Config;
use farsign_server::config::binding::resume;
use farsign_server::dataset_source::{self, TrainAndHeldOut};
use farsign_server::settings::Settings;
use farsign_server::store::folder::Folder;
use farsign_server::store::log::Log;
use farsign_server::store::run::check_data;

#[derive(Debug, Args)]
pub struct Where {
    /// Folder of the saved run
    #[arg(long, env = "FARSIGN_STATE")]
    pub state: PathBuf,
    /// Folder of its data, if that is somewhere else now
    #[arg(long, env = "FARSIGN_DATA")]
    pub data: Option<PathBuf>,
}

/// A saved run that no server uses.
pub struct Saved {
    pub folder: Folder,
    pub log: Log,
    pub config: Config,
    pub data: TrainAndHeldOut,
}

impl Where {
    pub fn open(self) -> anyhow::Result<Saved> {
        let folder = Folder::lock_run(&self.state)?;
        let log = folder.open_intact()?;
        let settings = resume(Settings { data: self.data, ..Settings::default() }, log.identity())?;
        let data = dataset_source::load(settings.data.as_deref())?;
        check_data(log.identity(), &data.train)?;
        let config = Config::new(&settings, &data.train, log.identity().seed)?;
        Ok(Saved { folder, log, config, data })
    }
}

impl Saved {
    /// Of a model of the run, on the held-out images; 0 to 1.
    pub fn accuracy(&self, run: &FarSign) -> f32 {
        let mut kernel = Kernel::new(&self.config.run.architecture);
        kernel.evaluate(run.x(), &self.data.held_out).accuracy
    }
}
