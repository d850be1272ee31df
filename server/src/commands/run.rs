//! `farsign run …`

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};
use farsign::dataset::hexadecimal;
use farsign::kernels::sparse::Kernel;
use farsign::optimizer::FarSign;
use farsign::task::VolunteerId;
use farsign_server::config::Config;
use farsign_server::config::binding::resume;
use farsign_server::dataset_source::{self, TrainAndHeldOut};
use farsign_server::settings::Settings;
use farsign_server::store::event::Checkpoint;
use farsign_server::store::evict::{Evicted, evict};
use farsign_server::store::folder::Folder;
use farsign_server::store::log::Log;
use farsign_server::store::record::parameters_digest;
use farsign_server::store::replay::replay;
use farsign_server::store::run::check_data;

#[derive(Debug, Subcommand)]
pub enum Run {
    /// Say how far a saved run has come; computes it again from the beginning of its log
    Show(Where),
    /// Say what a saved run would be without one volunteer, and make it so if told to
    Evict {
        #[command(flatten)]
        at: Where,
        /// The volunteer's number
        #[arg(long)]
        volunteer: u64,
        /// Go on from the model that this leads to; the run as it was is moved aside [default: change nothing]
        #[arg(long)]
        apply: Option<Method>,
    },
}

#[derive(Debug, Args)]
pub struct Where {
    /// Folder of the saved run
    #[arg(long, env = "FARSIGN_STATE")]
    state: PathBuf,
    /// Folder of its data, if that is somewhere else now
    #[arg(long, env = "FARSIGN_DATA")]
    data: Option<PathBuf>,
}

/// How a volunteer is taken out.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Method {
    /// Everything again without it
    Replay,
    /// Take its steps back
    Subtract,
}

/// A saved run that no server uses.
struct Saved {
    folder: Folder,
    log: Log,
    config: Config,
    data: TrainAndHeldOut,
}

impl Run {
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Show(at) => at.open()?.show(),
            Self::Evict { at, volunteer, apply } => at.open()?.evict(VolunteerId(volunteer), apply),
        }
    }
}

impl Where {
    fn open(self) -> anyhow::Result<Saved> {
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
    fn show(self) -> anyhow::Result<()> {
        let oldest = self.log.oldest_checkpoint()?;
        let begins = oldest.state.accepted;
        let run = replay(&self.log, self.config.optimizer(), oldest)?;
        println!("run         {:016x}, {}", self.log.identity().run_id, self.config.run.architecture);
        println!("accepted    {}", run.accepted());
        println!("progress    {}", percent(run.progress()));
        println!("accuracy    {}", percent(Some(self.accuracy(&run))));
        println!("log         {} bytes, from contribution {}", self.log.bytes(), begins + 1);
        println!("parameters  {}", hexadecimal(parameters_digest(run.x())));
        Ok(())
    }

    fn evict(self, volunteer: VolunteerId, method: Option<Method>) -> anyhow::Result<()> {
        let evicted = evict(&self.log, &self.config.optimizer(), volunteer)?;
        let Evicted { contributions, before_log, whole, replayed, subtracted } = evicted;
        if contributions == 0 {
            bail!("expected contributions of volunteer {} in the log, found none", volunteer.0);
        }
        println!("volunteer   {}, with {contributions} of {} contributions", volunteer.0, whole.accepted());
        if before_log > 0 {
            println!("log         begins with contribution {}; what came before stays", before_log + 1);
        }
        println!("as it is    {}", percent(Some(self.accuracy(&whole))));
        println!("replay      {}", percent(Some(self.accuracy(&replayed))));
        println!("subtract    {}", percent(subtracted.as_ref().map(|run| self.accuracy(run))));
        match method {
            None => Ok(()),
            Some(Method::Replay) => self.replace(&replayed),
            Some(Method::Subtract) => {
                let run = subtracted.context("expected a rule whose contributions are steps, found vote")?;
                self.replace(&run)
            }
        }
    }

    /// The run goes on from another model.
    fn replace(self, run: &FarSign) -> anyhow::Result<()> {
        let Self { folder, log, .. } = self;
        let checkpoint = Checkpoint { head: log.head(), cursor: log.cursor(), state: run.state() };
        let identity = log.identity().clone();
        drop(log);
        if let Some(kept) = folder.set_aside()? {
            println!("The run as it was is kept as {}.", kept.display());
        }
        folder.create(&identity, &checkpoint)?;
        println!("The run goes on without the volunteer.");
        Ok(())
    }

    fn accuracy(&self, run: &FarSign) -> f64 {
        let mut kernel = Kernel::new(&self.config.run.architecture);
        f64::from(kernel.evaluate(run.x(), &self.data.held_out).accuracy)
    }
}

fn percent(share: Option<f64>) -> String {
    share.map_or("–".to_owned(), |share| format!("{:.2} %", 100.0 * share))
}
