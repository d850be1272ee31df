//! `farsign run …`

use anyhow::{Context, bail};
use clap::{Subcommand, ValueEnum};
use farsign::dataset::hexadecimal;
use farsign::optimizer::FarSign;
use farsign::task::VolunteerId;
use farsign_server::store::event::Checkpoint;
use farsign_server::store::evict::{Evicted, evict};
use farsign_server::store::record::parameters_digest;
use farsign_server::store::replay::replay;

use super::saved::{Saved, Where};

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

/// How a volunteer is taken out.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Method {
    /// Everything again without it
    Replay,
    /// Take its steps back
    Subtract,
}

impl Run {
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Show(at) => at.open()?.show(),
            Self::Evict { at, volunteer, apply } => at.open()?.evict(VolunteerId(volunteer), apply),
        }
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
        println!("accuracy    {}", self.percent_right(&run));
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
        println!("as it is    {}", self.percent_right(&whole));
        println!("replay      {}", self.percent_right(&replayed));
        println!("subtract    {}", percent(subtracted.as_ref().map(|run| self.accuracy(run).into())));
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
        let kept = folder.replace(log, &checkpoint)?;
        println!("The run as it was is kept as {}.", kept.display());
        println!("The run goes on without the volunteer.");
        Ok(())
    }

    fn percent_right(&self, run: &FarSign) -> String {
        percent(Some(self.accuracy(run).into()))
    }
}

fn percent(share: Option<f64>) -> String {
    share.map_or("–".to_owned(), |share| format!("{:.2} %", 100.0 * share))
}
