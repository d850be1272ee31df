//! The `farsign` program: the server, native volunteers and the lab.

mod byte_budget;
#[cfg(feature = "cluster")]
mod cluster;
mod data;
mod failure;
mod input;
#[cfg(feature = "lab")]
mod lab;
mod load_data;
mod logging;
mod model;
mod network;
mod open_run;
mod output;
mod run;
mod serve;
mod signals;
mod status_line;
mod streams;
mod volunteer;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use logging::LogFormat;

/// Byzantine-robust training with untrusted volunteers.
#[derive(Debug, Parser)]
#[command(name = "farsign", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the page and train a model with volunteers
    Serve(Box<serve::Serve>),
    /// Serve volunteers of a run over several machines
    #[cfg(feature = "cluster")]
    Gateway(Box<cluster::GatewayCommand>),
    /// Train the model of a run over several machines, or stand by
    #[cfg(feature = "cluster")]
    Learner(Box<cluster::LearnerCommand>),
    /// Verify updates of a run over several machines
    #[cfg(feature = "cluster")]
    Verifier(Box<cluster::VerifierCommand>),
    /// Train for a server on this machine
    Volunteer(volunteer::Volunteer),
    /// Manage training data
    #[command(subcommand)]
    Data(data::Data),
    /// Inspect a saved run or unlearn a volunteer
    #[command(subcommand)]
    Run(run::Run),
    /// Export a trained model
    #[command(subcommand)]
    Model(model::Model),
    /// Simulate training under attack and compare methods
    #[cfg(feature = "lab")]
    #[command(subcommand)]
    Lab(lab::Lab),
    /// Simulate training under attack and compare methods (not in this build)
    #[cfg(not(feature = "lab"))]
    #[command(disable_help_flag = true)]
    Lab {
        #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<std::ffi::OsString>,
    },
}

impl Command {
    fn log_format(&self) -> LogFormat {
        match self {
            Self::Serve(serve) => serve.log_format,
            #[cfg(feature = "cluster")]
            Self::Gateway(gateway) => gateway.cluster.log_format,
            #[cfg(feature = "cluster")]
            Self::Learner(learner) => learner.cluster.log_format,
            #[cfg(feature = "cluster")]
            Self::Verifier(verifier) => verifier.cluster.log_format,
            _ => LogFormat::Text,
        }
    }

    /// Returns what is printed when a signal ends the command.
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Data(_) => Some("Interrupted. The same command fetches the missing files."),
            #[cfg(feature = "lab")]
            Self::Lab(lab::Lab::Run { .. }) => {
                Some("Interrupted. The same command resumes after the last finished run.")
            }
            _ => None,
        }
    }

    /// Returns whether the command handles signals, and ends on the first of them with a summary.
    fn handles_signals(&self) -> bool {
        match self {
            Self::Serve(_) | Self::Volunteer(_) => true,
            #[cfg(feature = "cluster")]
            Self::Gateway(_) | Self::Learner(_) | Self::Verifier(_) => true,
            _ => false,
        }
    }

    fn run(self) -> anyhow::Result<()> {
        if !self.handles_signals() {
            signals::end_between_writes(self.hint())?;
        }
        match self {
            Self::Serve(serve) => serve.run(),
            #[cfg(feature = "cluster")]
            Self::Gateway(gateway) => gateway.run(),
            #[cfg(feature = "cluster")]
            Self::Learner(learner) => learner.run(),
            #[cfg(feature = "cluster")]
            Self::Verifier(verifier) => verifier.run(),
            Self::Volunteer(volunteer) => volunteer.run(),
            Self::Data(data) => data.run(),
            Self::Run(run) => run.run(),
            Self::Model(model) => model.run(),
            #[cfg(feature = "lab")]
            Self::Lab(lab) => lab.run(),
            #[cfg(not(feature = "lab"))]
            Self::Lab { .. } => {
                anyhow::bail!(
                    "this build has no lab; build it with `cargo build --release -p farsign-cli`"
                )
            }
        }
    }
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    let format = command.log_format();
    match format.init().and_then(|()| command.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            format.report_failure(&error);
            ExitCode::FAILURE
        }
    }
}
