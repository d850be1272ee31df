//! `farsign run …`

use anyhow::{Context, bail};
use clap::{Subcommand, ValueEnum};
use farsign::dataset::hexadecimal;
use farsign::learner::Learner;
use farsign::optimizer::{FarSign, FarSignState};
use farsign::task::VolunteerId;
use farsign_server::store::codec::parameters_digest;
use farsign_server::store::replay::replay;
use farsign_server::store::saved_values::{Checkpoint, LogPosition};
use farsign_server::store::unlearn::{Unlearned, unlearn};

#[cfg(feature = "cluster")]
use crate::cluster::{PullCommand, PushCommand};
use crate::open_run::{OpenRun, StateArgs};
use crate::streams;

#[derive(Debug, Subcommand)]
pub enum Run {
    /// Replay the journal of a saved run and print its progress
    Show(StateArgs),
    /// Move a saved run into NATS, where `farsign learner` continues it
    #[cfg(feature = "cluster")]
    Push(PushCommand),
    /// Save a run from NATS that no process uses, so that `farsign serve` continues it
    #[cfg(feature = "cluster")]
    Pull(PullCommand),
    /// Compare a saved run with and without one volunteer, and optionally unlearn the volunteer
    Unlearn {
        #[command(flatten)]
        state: StateArgs,
        /// Number of the volunteer
        #[arg(long)]
        volunteer: u64,
        /// Continue from this model and archive the current run [default: change nothing]
        #[arg(long)]
        method: Option<Method>,
    },
}

/// A method to unlearn a volunteer.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Method {
    /// Replay the run without the volunteer
    Replay,
    /// Subtract the volunteer's steps
    Subtract,
}

impl Run {
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Show(state) => state.open()?.show(),
            #[cfg(feature = "cluster")]
            Self::Push(push) => push.run(),
            #[cfg(feature = "cluster")]
            Self::Pull(pull) => pull.run(),
            Self::Unlearn {
                state,
                volunteer,
                method,
            } => state.open()?.unlearn(VolunteerId(volunteer), method),
        }
    }
}

impl OpenRun {
    fn show(self) -> anyhow::Result<()> {
        let oldest = self.log.oldest_checkpoint()?;
        let first_update = oldest.accepted() + 1;
        let run = replay(&self.log, &self.config.replay_options(), oldest)?;
        let run = run.optimizer();
        streams::print(format_args!(
            "run         {:016x}, {}\n\
             accepted    {}\n\
             progress    {}\n\
             accuracy    {}\n\
             journal     {} bytes, from update {first_update}\n\
             parameters  {}\n",
            self.log.identity().run_id,
            self.config.run.architecture,
            run.accepted(),
            percent(run.progress()),
            self.accuracy_percent(run),
            self.log.bytes(),
            hexadecimal(parameters_digest(run.x())),
        ))
    }

    fn unlearn(self, volunteer: VolunteerId, method: Option<Method>) -> anyhow::Result<()> {
        let unlearned = unlearn(&self.log, &self.config.replay_options(), volunteer)?;
        let Unlearned {
            updates,
            before_log,
            original,
            replayed,
            subtracted,
        } = unlearned;
        let options = self.config.optimizer_options();
        let subtracted = subtracted
            .map(|state| FarSign::restore(options, state))
            .transpose()?;
        if updates == 0 {
            bail!(
                "expected updates of volunteer {} in the journal, found none",
                volunteer.0
            );
        }
        let journal = if before_log > 0 {
            format!(
                "journal     starts at update {}; earlier updates cannot be unlearned\n",
                before_log + 1
            )
        } else {
            String::new()
        };
        // Printed before the run changes, which a full device then prevents.
        streams::print(format_args!(
            "volunteer   {}, with {updates} of {} updates\n\
             {journal}\
             current     {}\n\
             replay      {}\n\
             subtract    {}\n",
            volunteer.0,
            original.optimizer().accepted(),
            self.accuracy_percent(original.optimizer()),
            self.accuracy_percent(replayed.optimizer()),
            percent(subtracted.as_ref().map(|run| self.accuracy(run).into())),
        ))?;
        match method {
            None => Ok(()),
            Some(Method::Replay) => self.replace(replayed, None),
            Some(Method::Subtract) => {
                let model = subtracted
                    .context("expected a rule under which updates can be subtracted, found vote")?;
                self.replace(original, Some(model.state()))
            }
        }
    }

    /// Archives the current run and continues with another learner, and with another model if there is one.
    fn replace(self, mut learner: Learner, model: Option<FarSignState>) -> anyhow::Result<()> {
        let Self { state_dir, log, .. } = self;
        // The records of the archived run do not lead to this state.
        learner.end_sessions();
        learner.drop_outputs();
        let position = LogPosition {
            sequence: learner.position(),
            ..log.position()
        };
        let mut checkpoint = Checkpoint::of(&learner, position);
        if let Some(model) = model {
            checkpoint.state = checkpoint.state.with_optimizer(model);
        }
        let archived = state_dir.replace(log, &checkpoint)?;
        streams::print(format_args!(
            "The previous run is archived as {}.\nThe run continues without the volunteer.\n",
            archived.display()
        ))
    }

    fn accuracy_percent(&self, run: &FarSign) -> String {
        percent(Some(self.accuracy(run).into()))
    }
}

fn percent(fraction: Option<f64>) -> String {
    fraction.map_or("–".to_owned(), |fraction| {
        format!("{:.2} %", 100.0 * fraction)
    })
}
