//! Set-up, lints and the commands that take more than one step: `cargo xtask <command>`.

mod build;
mod commands;
mod lint;
mod prerequisites;
mod shell;
mod test;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Result, anyhow, bail};

use commands::{bench, cluster, mnist_subset, results, screenshots, serve};
use prerequisites::{firefox, tools};
use shell::Shell;

const HELP: &str = "\
Usage: cargo xtask <command>

  serve [ARGUMENTS]  build the page and the server, then start the server
                     (the arguments go to `farsign serve`; try `cargo xtask serve --help`)
  cluster [SETTING...]
                     build the page and the program, then start a cluster on this machine:
                     three nats-servers, two gateways, a learner, a standby, a verifier
  web                build only the page's WebAssembly part, into www/pkg
  test [STEP...]     run every check and test, installing what that needs;
                     with names of steps, run those and the steps they need
  lint               run the project's own lints (seconds)
  limits [--write]   print docs/limits.md, made from constants in the source, or write it
  bench [SECTION...] compare the project with its peers: target/bench/report.md
                     (--write also updates docs/performance.md, --data FOLDER
                     trains on all of MNIST too; --check compares a few ratios with
                     their bounds, --outdated marks the sections of that document
                     whose files have changed since,
                     --quick shortens the section fleet)
  results [SCENARIO...]
                     run the lab's scenarios into target/results, resuming interrupted ones,
                     and write docs/results (--data FOLDER trains on all of MNIST; hours)
  screenshots        make pictures of the page on phones and desktops, light and dark:
                     target/screenshots
  tools              install wasm-pack and its companions into .tools/ (minutes)
  firefox            install what `cargo xtask test firefox` needs: Firefox through apt-get
                     where that is possible, and its driver into .tools/; `test` does so too
  data-subset        make data/mnist-10k again from its source (a maintainer's command)
  help               print this text
";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let command = arguments.next().unwrap_or_else(|| "help".into());
    match dispatch(&command.to_string_lossy(), arguments.collect()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: &str, rest: Vec<OsString>) -> Result<ExitCode> {
    if command == "serve" {
        return serve::run(&Shell::open()?, &rest); // names of files need not be text
    }
    let text = |argument: OsString| {
        argument
            .into_string()
            .map_err(|argument| anyhow!("expected text in UTF-8, found {}", argument.display()))
    };
    let rest: &[String] = &rest.into_iter().map(text).collect::<Result<Vec<_>>>()?;
    let takes_arguments = matches!(command, "bench" | "cluster" | "limits" | "results" | "test");
    if !takes_arguments && let Some(extra) = rest.first() {
        bail!("`cargo xtask {command}` takes no arguments, but got `{extra}`");
    }
    let done = |result: Result<()>| result.map(|()| ExitCode::SUCCESS);
    match command {
        "help" | "-h" | "--help" => {
            println!("{HELP}\nSteps of `test`, in order:");
            test::describe();
            Ok(ExitCode::SUCCESS)
        }
        "bench" => bench::run(&Shell::open()?, rest),
        "cluster" => cluster::start(&Shell::open()?, rest),
        "data-subset" => done(mnist_subset::run(&Shell::open()?)),
        "firefox" => done(firefox::install(&Shell::open()?)),
        "limits" => done(lint::limits::run(&Shell::open()?, rest)),
        "lint" => done(lint::check(&Shell::open()?)),
        "results" => results::run(&Shell::open()?, rest),
        "screenshots" => done(screenshots::run(&Shell::open()?)),
        "test" => test::run(&Shell::open()?, rest),
        "tools" => done(tools::install_wasm_pack(&Shell::open()?)),
        "web" => done(build::web(&Shell::open()?)),
        unknown => bail!("there is no command `{unknown}`; `cargo xtask help` lists them"),
    }
}
