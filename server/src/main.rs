//! The `farsign` program: one binary for hosts and for native volunteers.

mod commands;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

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
}

fn main() -> ExitCode {
    let filter = EnvFilter::try_from_env("FARSIGN_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let done = match Cli::parse().command {
        Command::Serve(serve) => serve.run(),
        Command::Volunteer(volunteer) => volunteer.run(),
        Command::Data(data) => data.run(),
        Command::Run(run) => run.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
