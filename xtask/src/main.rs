//! Set-up and the commands that take more than one step: `cargo xtask <command>`.
//!
//! This program uses nothing but the standard library, so that it compiles in a moment on a fresh machine.

mod aarch64;
mod bench;
mod browser;
mod build;
mod checks;
mod clock;
mod debian;
mod firefox;
mod mnist_subset;
mod npm;
mod python;
mod results;
mod screenshots;
mod serve;
mod shell;
mod toolchain;
mod tools;
mod versions;

use std::process::ExitCode;

use shell::{Result, Shell};

const HELP: &str = "\
Usage: cargo xtask <command>

  serve [ARGUMENTS]  build the page and the server, then start the server
                     (the arguments go to `farsign serve`; try `cargo xtask serve --help`)
  web                build only the page's WebAssembly part, into www/pkg
  test [STEP...]     run every check and test, installing what that needs;
                     with names of steps, run those and what they stand on
  bench [SECTION...] measure the project beside its peers: target/bench/report.md
                     (--write also updates docs/performance.md, --data FOLDER
                     trains on all of MNIST too)
  results [SCENARIO...]
                     run the lab's scenarios into target/results, or go on with them, and
                     write docs/results (--data FOLDER trains on all of MNIST; hours)
  screenshots        pictures of the page on phones and desks, light and dark:
                     target/screenshots
  tools              install only what the tests need: into .tools/, and Chromium
                     through apt-get where that is possible
  firefox            install what `cargo xtask test firefox` needs: Firefox through apt-get
                     where that is possible, and its driver into .tools/ (minutes)
  data-subset        make data/mnist-10k again from its source (a maintainer's command)
  help               print this text
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_else(|| "help".to_owned());
    let rest: Vec<String> = arguments.collect();
    match dispatch(&command, &rest) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: &str, rest: &[String]) -> Result<ExitCode> {
    let takes_arguments = matches!(command, "bench" | "results" | "serve" | "test");
    if !takes_arguments && let Some(extra) = rest.first() {
        return Err(format!("`cargo xtask {command}` takes no arguments, but got `{extra}`"));
    }
    match command {
        "help" | "-h" | "--help" => {
            println!("{HELP}\nSteps of `test`, in order:");
            checks::describe();
            Ok(ExitCode::SUCCESS)
        }
        "bench" => bench::run(&Shell::open()?, rest),
        "data-subset" => mnist_subset::run(&Shell::open()?).map(|()| ExitCode::SUCCESS),
        "firefox" => firefox::install(&Shell::open()?).map(|()| ExitCode::SUCCESS),
        "results" => results::run(&Shell::open()?, rest),
        "screenshots" => screenshots::run(&Shell::open()?).map(|()| ExitCode::SUCCESS),
        "serve" => serve::run(&Shell::open()?, rest),
        "test" => checks::run(&Shell::open()?, rest),
        "tools" => checks::run(&Shell::open()?, &["tools".to_owned()]),
        "web" => build::web(&Shell::open()?).map(|()| ExitCode::SUCCESS),
        unknown => Err(format!("there is no command `{unknown}`; `cargo xtask help` lists them")),
    }
}
