//! `cargo xtask test`: every check and test of the project, in order, until the first failure.

mod aarch64;
mod browser;
mod rust;
mod text;
mod wasm;

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

pub use browser::browser_test;

use crate::commands::bench;
use crate::prerequisites::{chromium, toolchain};
use crate::shell::Shell;
use crate::{build, lint};

/// The variable that names the program `farsign` to tests.
const PROGRAM_VARIABLE: &str = "FARSIGN_BIN";

/// The outcome of a step that did not fail.
enum Outcome {
    Passed,
    /// A prerequisite is missing, which the text names.
    Skipped(String),
}

struct Step {
    name: &'static str,
    about: &'static str,
    /// Earlier steps whose results this one uses.
    needs: &'static [&'static str],
    run: fn(&Shell) -> Result<Outcome>,
}

/// All steps: cheap ones first, and early those whose failure needs a person, such as a missing browser.
const STEPS: [Step; 24] = [
    Step {
        name: "environment",
        about: "the Rust toolchain is complete, and there is a browser",
        needs: &[],
        run: report_environment,
    },
    Step {
        name: "format",
        about: "the code is formatted",
        needs: &[],
        run: rust::format,
    },
    Step {
        name: "lint",
        about: "the project's own rules: layers, documents, glossary, limits",
        needs: &[],
        run: |shell| passed(lint::check(shell)),
    },
    Step {
        name: "typos",
        about: "the spelling is correct (needs Python)",
        needs: &[],
        run: text::typos,
    },
    Step {
        name: "deny",
        about: "licenses and advisories (needs cargo-deny)",
        needs: &[],
        run: text::deny,
    },
    Step {
        name: "clippy",
        about: "no compiler or clippy warnings",
        needs: &[],
        run: rust::clippy,
    },
    Step {
        name: "clippy-wasm",
        about: "the same for the browser's part",
        needs: &[],
        run: wasm::clippy,
    },
    Step {
        name: "docs",
        about: "no rustdoc warnings",
        needs: &[],
        run: rust::docs,
    },
    Step {
        name: "web",
        about: "the page's WebAssembly part builds",
        needs: &[],
        run: |shell| passed(build::web_and_test_runner(shell)),
    },
    Step {
        name: "page-lint",
        about: "types, rules and format of the page's scripts (needs npm)",
        needs: &["web"],
        run: text::page,
    },
    Step {
        name: "program",
        about: "the program builds",
        needs: &["web"],
        run: |shell| passed(build::tested(shell)),
    },
    Step {
        name: "native",
        about: "tests on this machine",
        needs: &["program"],
        run: rust::native_tests,
    },
    Step {
        name: "cluster",
        about: "a run over several processes, with faults (needs Python or nats-server)",
        needs: &["program"],
        run: rust::cluster,
    },
    Step {
        name: "lab",
        about: "a simulated suite: its assertions hold",
        needs: &["program"],
        run: rust::lab,
    },
    Step {
        name: "optimized",
        about: "the same bits with all optimizations and all of this processor's instructions",
        needs: &[],
        run: rust::optimized,
    },
    Step {
        name: "ratios",
        about: "the algorithm and the server are not slow next to named peers",
        needs: &["program"],
        run: |shell| passed(bench::check(shell)),
    },
    Step {
        name: "aarch64",
        about: "the same bits on AArch64 (runs if emulation is available)",
        needs: &[],
        run: aarch64::test,
    },
    Step {
        name: "third-party",
        about: "a volunteer and a reader of the model in Python (needs Python)",
        needs: &["program"],
        run: rust::third_party,
    },
    Step {
        name: "wasm",
        about: "the algorithm's tests in a browser",
        needs: &["environment"],
        run: wasm::algorithm,
    },
    Step {
        name: "wasm-plain",
        about: "the same bits in a browser without SIMD",
        needs: &["environment"],
        run: wasm::algorithm_without_simd,
    },
    Step {
        name: "wasm-worker",
        about: "the worker's tests in a browser",
        needs: &["environment"],
        run: wasm::worker,
    },
    Step {
        name: "browser",
        about: "the page, used as a person would",
        needs: &["environment", "program"],
        run: browser::chromium,
    },
    Step {
        name: "firefox-essentials",
        about: "training, consent, resilience, console and effort in Firefox",
        needs: &["program"],
        run: browser::firefox_essentials,
    },
    Step {
        name: "firefox",
        about: "all tests of the page in Firefox (runs only when named)",
        needs: &["program"],
        run: browser::firefox,
    },
];

/// Steps that take long and repeat what others test.
const ONLY_WHEN_NAMED: [&str; 1] = ["firefox"];

/// Prints one line for each step.
pub fn describe() {
    for step in &STEPS {
        println!("  {:18} {}", step.name, step.about);
    }
}

/// Runs the named steps and what they need. If none is named, runs all that need not be named.
pub fn run(shell: &Shell, names: &[String]) -> Result<ExitCode> {
    let mut durations: Vec<(&str, Duration)> = Vec::new();
    let mut skipped: Vec<(&str, String)> = Vec::new();
    for step in select_steps(names)? {
        println!("\n=== {}: {} ===", step.name, step.about);
        let started = Instant::now();
        let result = (step.run)(shell);
        durations.push((step.name, started.elapsed()));
        println!(
            "=== {} took {:.1} s ===",
            step.name,
            started.elapsed().as_secs_f64()
        );
        match result {
            Ok(Outcome::Passed) => (),
            Ok(Outcome::Skipped(reason)) => {
                println!("SKIPPED: {reason}");
                skipped.push((step.name, reason));
            }
            Err(error) => {
                eprintln!("error: {error:#}");
                report(&durations, &skipped);
                let passed = durations.len() - 1 - skipped.len();
                let name = step.name;
                println!(
                    "{passed} passed, 1 failed: {name}. To run it again: cargo xtask test {name}"
                );
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    report(&durations, &skipped);
    println!(
        "{} passed, 0 failed, {} skipped",
        durations.len() - skipped.len(),
        skipped.len()
    );
    Ok(ExitCode::SUCCESS)
}

fn report(durations: &[(&str, Duration)], skipped: &[(&str, String)]) {
    println!();
    for (name, duration) in durations {
        println!("{name:18} {:7.1} s", duration.as_secs_f64());
    }
    let total: Duration = durations.iter().map(|(_, duration)| *duration).sum();
    println!("{:18} {:7.1} s", "total", total.as_secs_f64());
    for (name, reason) in skipped {
        println!("{name} was skipped: {reason}");
    }
}

/// Returns the steps to run, in the order of the table.
fn select_steps(names: &[String]) -> Result<Vec<&'static Step>> {
    if let Some(unknown) = names
        .iter()
        .find(|name| STEPS.iter().all(|step| step.name != **name))
    {
        let known: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        bail!(
            "there is no step `{unknown}`; the steps are {}",
            known.join(", ")
        );
    }
    let mut wanted: Vec<&str> = names.iter().map(String::as_str).collect();
    // Needs point backwards only, so one pass from the end finds all of them.
    for step in STEPS.iter().rev() {
        if wanted.contains(&step.name) {
            wanted.extend(step.needs);
        }
    }
    Ok(STEPS
        .iter()
        .filter(|step| {
            let is_default = names.is_empty() && !ONLY_WHEN_NAMED.contains(&step.name);
            is_default || wanted.contains(&step.name)
        })
        .collect())
}

fn report_environment(shell: &Shell) -> Result<Outcome> {
    toolchain::ensure_wasm_target(shell)?;
    toolchain::ensure_components(shell)?;
    println!("{}", chromium::prepare(shell)?);
    Ok(Outcome::Passed)
}

fn passed(result: Result<()>) -> Result<Outcome> {
    result.map(|()| Outcome::Passed)
}

/// Names the program under test to tests.
fn with_program<'command>(shell: &Shell, command: &'command mut Command) -> &'command mut Command {
    command.env(PROGRAM_VARIABLE, shell.tested_program())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(names: &[&str]) -> Vec<&'static str> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        select_steps(&names)
            .unwrap()
            .iter()
            .map(|step| step.name)
            .collect()
    }

    #[test]
    fn needs_are_earlier_steps() {
        for (position, step) in STEPS.iter().enumerate() {
            for need in step.needs {
                let earlier = STEPS[..position]
                    .iter()
                    .any(|earlier| earlier.name == *need);
                assert!(earlier, "{} needs {need}", step.name);
            }
        }
    }

    #[test]
    fn no_names_select_default_steps() {
        let steps = selected(&[]);
        assert_eq!(steps.len(), STEPS.len() - ONLY_WHEN_NAMED.len());
        assert!(steps.contains(&"firefox-essentials") && !steps.contains(&"firefox"));
        assert!(selected(&["firefox"]).contains(&"firefox"));
    }

    #[test]
    fn named_step_selects_its_needs() {
        assert_eq!(
            selected(&["browser"]),
            ["environment", "web", "program", "browser"]
        );
        assert_eq!(selected(&["wasm", "lint"]), ["environment", "lint", "wasm"]);
    }

    #[test]
    fn unknown_step_is_an_error() {
        let Err(error) = select_steps(&["brwoser".to_owned()]) else {
            panic!("accepted")
        };
        let message = error.to_string();
        assert!(
            message.contains("brwoser") && message.contains("browser"),
            "{message}"
        );
    }
}
