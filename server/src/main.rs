//! The `farsign` program: one binary for hosts and for native volunteers.

mod commands;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use commands::log::LogFormat;

/// Training by volunteers nobody needs to trust.
#[derive(Debug, Parser)]
#[command(name = "farsign", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the page and train a model with whoever joins
    Serve(Box<commands::serve::Serve>),
    /// Work for a server with this machine's processor
    Volunteer(commands::volunteer::Volunteer),
    /// Look after training data
    #[command(subcommand)]
    Data(commands::data::Data),
    /// Look at a saved run, or take a volunteer out of it
    #[command(subcommand)]
    Run(commands::run::Run),
    /// Take the model of a run into other tools
    #[command(subcommand)]
    Model(commands::model::Model),
    /// Simulate training among liars, and compare methods
    #[command(subcommand)]
    Lab(commands::lab::Lab),
}

impl Command {
    fn log_format(&self) -> LogFormat {
        match self {
            Self::Serve(serve) => serve.log_format,
            Self::Volunteer(_) | Self::Data(_) | Self::Run(_) | Self::Model(_) | Self::Lab(_) => {
                LogFormat::Text
            }
        }
    }

    fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Serve(serve) => serve.run(),
            Self::Volunteer(volunteer) => volunteer.run(),
            Self::Data(data) => data.run(),
            Self::Run(run) => run.run(),
            Self::Model(model) => model.run(),
            Self::Lab(lab) => lab.run(),
        }
    }
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    let format = command.log_format();
    match format.start().and_then(|()| command.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            format.fail(&error);
            ExitCode::FAILURE
        }
    }
}
