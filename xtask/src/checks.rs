//! `cargo xtask test`: every check and test of the project, in order, stopping at the first failure.

use std::ffi::OsString;
use std::fs;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::browser::{self, BROWSER_VARIABLE, DRIVER_VARIABLE};
use crate::python::PYTHON_VARIABLE;
use crate::shell::{Result, Shell, executable, run as start, run_and_read};
use crate::toolchain::WASM_TARGET;
use crate::{aarch64, build, clock, firefox, npm, python, tools};

/// Seconds that all browser unit tests of one package may take together; the runner's own limit of 20 is too short
/// for a busy machine.
const BROWSER_UNIT_TEST_SECONDS: &str = "300";

/// Names axe-core to the test of accessibility.
const AXE_VARIABLE: &str = "FARSIGN_AXE";

/// Names its version, relative to the repository's root.
const AXE_PACKAGES: &str = "tests/axe/package.json";

const TARGET_FOLDER: &str = "CARGO_TARGET_DIR";

struct Step {
    name: &'static str,
    about: &'static str,
    /// Earlier steps whose result this one uses.
    needs: &'static [&'static str],
    run: fn(&Shell) -> Result<()>,
}

/// Cheap ones first, and before anything slow whatever only a person can put right, such as a missing browser.
const STEPS: [Step; 17] = [
    Step {
        name: "machine",
        about: "Rust has the parts we need, and there is a browser",
        needs: &[],
        run: machine,
    },
    Step { name: "format", about: "the code is formatted", needs: &["machine"], run: format },
    Step { name: "lint", about: "no compiler or clippy warnings", needs: &["machine"], run: lint },
    Step { name: "lint-wasm", about: "the same for the browser's part", needs: &["machine"], run: lint_wasm },
    Step { name: "web", about: "the page's WebAssembly part builds", needs: &["machine"], run: build::web },
    Step { name: "server", about: "the server builds", needs: &["web"], run: build::server },
    Step { name: "native", about: "tests on this machine", needs: &["server"], run: native_tests },
    Step {
        name: "lab",
        about: "training among liars in simulation: what is expected, and the same bytes twice",
        needs: &["server"],
        run: lab,
    },
    Step {
        name: "optimized",
        about: "the same bits with all optimizations, for any processor and for this one",
        needs: &["machine"],
        run: optimized,
    },
    Step {
        name: "aarch64",
        about: "the same bits on another processor, emulated where possible",
        needs: &["machine"],
        run: aarch64::test,
    },
    Step {
        name: "third-party",
        about: "a volunteer and a reader of the model in another language, where Python is there",
        needs: &["server"],
        run: third_party,
    },
    Step {
        name: "tools",
        about: "the browser test tools are installed",
        needs: &["machine"],
        run: tools::install,
    },
    Step {
        name: "wasm",
        about: "the algorithm's tests in a browser",
        needs: &["tools"],
        run: algorithm_in_browser,
    },
    Step {
        name: "wasm-plain",
        about: "the same bits in a browser without SIMD",
        needs: &["tools"],
        run: algorithm_without_simd,
    },
    Step {
        name: "wasm-worker",
        about: "the worker's tests in a browser",
        needs: &["tools"],
        run: worker_in_browser,
    },
    Step {
        name: "browser",
        about: "the page, worked as a person would",
        needs: &["server"],
        run: page_tests,
    },
    Step {
        name: "firefox",
        about: "the same in Firefox, where it is there with its driver",
        needs: &["server"],
        run: firefox::test,
    },
];

/// Prints one line for each step.
pub fn describe() {
    for step in &STEPS {
        println!("  {:12} {}", step.name, step.about);
    }
}

/// Runs the named steps and what they need, or all of them when none is named.
pub fn run(shell: &Shell, names: &[String]) -> Result<ExitCode> {
    let mut durations: Vec<(&str, Duration)> = Vec::new();
    for step in select(names)? {
        println!("\n=== {}: {} ===", step.name, step.about);
        let started = Instant::now();
        let result = (step.run)(shell);
        durations.push((step.name, started.elapsed()));
        println!("=== {} took {:.1} s ===", step.name, started.elapsed().as_secs_f64());
        if let Err(message) = result {
            eprintln!("error: {message}");
            report(&durations);
            let passed = durations.len() - 1;
            let name = step.name;
            println!("{passed} passed, 1 failed: {name}. To run it again: cargo xtask test {name}");
            return Ok(ExitCode::FAILURE);
        }
    }
    report(&durations);
    println!("{} passed, 0 failed", durations.len());
    Ok(ExitCode::SUCCESS)
}

fn report(durations: &[(&str, Duration)]) {
    println!();
    for (name, duration) in durations {
        println!("{name:12} {:7.1} s", duration.as_secs_f64());
    }
    let total: Duration = durations.iter().map(|(_, duration)| *duration).sum();
    println!("{:12} {:7.1} s", "together", total.as_secs_f64());
}

/// The steps to run, in their usual order.
fn select(names: &[String]) -> Result<Vec<&'static Step>> {
    if let Some(unknown) = names.iter().find(|name| STEPS.iter().all(|step| step.name != **name)) {
        let known: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        return Err(format!("there is no step `{unknown}`; the steps are {}", known.join(", ")));
    }
    let mut wanted: Vec<&str> = names.iter().map(String::as_str).collect();
    // Needs point backwards only, so one pass from the end finds all of them.
    for step in STEPS.iter().rev() {
        if wanted.contains(&step.name) {
            wanted.extend(step.needs);
        }
    }
    Ok(STEPS.iter().filter(|step| names.is_empty() || wanted.contains(&step.name)).collect())
}

fn machine(shell: &Shell) -> Result<()> {
    let browser = tools::prepare_machine(shell)?;
    println!("{browser}");
    Ok(())
}

fn format(shell: &Shell) -> Result<()> {
    start(&mut shell.cargo(&["fmt", "--all", "--check"]))
}

fn lint(shell: &Shell) -> Result<()> {
    // The tests that run when they are named are not among all targets.
    for targets in [["--all-targets"].as_slice(), &["--test", "*"]] {
        let mut command = shell.cargo(&["clippy", "--workspace"]);
        start(command.args(targets).args(["--", "-D", "warnings"]))?;
    }
    Ok(())
}

fn lint_wasm(shell: &Shell) -> Result<()> {
    let packages = ["-p", "farsign", "-p", "farsign-worker", "-p", "farsign-bench-page"];
    let mut command = shell.cargo(&["clippy", "--target", WASM_TARGET, "--all-targets"]);
    start(command.args(packages).args(["--", "-D", "warnings"]))
}

fn native_tests(shell: &Shell) -> Result<()> {
    clock::prepare(shell);
    start(with_server(shell, &mut shell.cargo(&["test", "--workspace"])))
}

/// The quick scenario twice: its results are within the bands that it names, and the same to the last byte.
fn lab(shell: &Shell) -> Result<()> {
    let folder = shell.target().join("lab");
    let mut results = Vec::new();
    for name in ["first", "second"] {
        let out = folder.join(name);
        if out.exists() {
            fs::remove_dir_all(&out).map_err(|error| format!("{}: {error}", out.display()))?;
        }
        let mut command = shell.command(shell.server_binary());
        start(command.args(["lab", "run", "lab/scenarios/quick.toml", "--out"]).arg(&out))?;
        let read = |file: &str| fs::read(out.join(file)).map_err(|error| format!("{file}: {error}"));
        results.push((read("curves.csv")?, read("summary.json")?));
    }
    if results[0] == results[1] {
        return Ok(());
    }
    Err(format!("two runs of one scenario differ: see {}", folder.display()))
}

/// The golden values as releases are built, and again with every instruction that this processor has, where kernels are
/// optimized as much. What is built with other flags goes to a folder of its own, or each would undo the other.
fn optimized(shell: &Shell) -> Result<()> {
    let arguments = ["test", "-p", "farsign", "--test", "golden"];
    start(shell.cargo(&arguments).arg("--release").env_remove("RUSTFLAGS"))?;
    let mut native = shell.cargo(&arguments);
    start(native.env("RUSTFLAGS", "-C target-cpu=native").env(TARGET_FOLDER, shell.target().join("native")))
}

fn third_party(shell: &Shell) -> Result<()> {
    let Some(python) = python::prepare(shell)? else { return Ok(()) };
    let mut command = shell.cargo(&["test", "--workspace", "--test", "third_party"]);
    start(with_server(shell, command.env(PYTHON_VARIABLE, python)))
}

fn page_tests(shell: &Shell) -> Result<()> {
    let mut command = page_test(shell)?;
    match npm::modules(shell, AXE_PACKAGES, "axe")? {
        Some(modules) => _ = command.env(AXE_VARIABLE, modules.join("axe-core").join("axe.min.js")),
        None => println!("There is no npm on the search path, or no node: accessibility is not checked."),
    }
    start(command.args(["--", "--nocapture"]))
}

/// The tests of the page, in the browser at hand.
pub fn page_test(shell: &Shell) -> Result<Command> {
    let browser = browser::ensure(shell)?;
    let mut command = page_test_command(shell);
    command.env(BROWSER_VARIABLE, &browser.program).env(DRIVER_VARIABLE, &browser.driver);
    Ok(command)
}

/// The same, but for the browser.
pub fn page_test_command(shell: &Shell) -> Command {
    // Of the workspace, or what it shares with the other tests would be compiled again with fewer features.
    let mut command = shell.cargo(&["test", "--workspace", "--test", "browser"]);
    with_server(shell, &mut command);
    command
}

/// Tells tests where the server is that they are to start.
fn with_server<'command>(shell: &Shell, command: &'command mut Command) -> &'command mut Command {
    command.env("FARSIGN_BIN", shell.server_binary())
}

fn algorithm_in_browser(shell: &Shell) -> Result<()> {
    wasm_pack_test(shell, "farsign", &[])
}

fn algorithm_without_simd(shell: &Shell) -> Result<()> {
    let flags = OsString::from("-C target-feature=-simd128");
    let folder = shell.target().join("plain").into_os_string();
    wasm_pack_test(shell, "farsign", &[("RUSTFLAGS", flags), (TARGET_FOLDER, folder)])
}

fn worker_in_browser(shell: &Shell) -> Result<()> {
    wasm_pack_test(shell, "worker-wasm", &[])
}

fn wasm_pack_test(shell: &Shell, folder: &str, variables: &[(&str, OsString)]) -> Result<()> {
    let browser = browser::ensure(shell)?;
    let programs = tools::programs(shell);
    let mut command = shell.command(programs.join(executable("wasm-pack")));
    // Without `--mode no-install` it would look for its own downloads instead of the programs beside it.
    command.args(["test", "--headless", "--chrome", "--mode", "no-install", "--chromedriver"]);
    command.arg(&browser.driver).arg(folder);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(programs).chain(std::env::split_paths(&path));
    let path =
        std::env::join_paths(folders).map_err(|error| format!("the search path is unusable: {error}"))?;
    command.env("PATH", path).env("WASM_BINDGEN_TEST_TIMEOUT", BROWSER_UNIT_TEST_SECONDS);
    command.envs(variables.iter().cloned());
    // The runner calls a package without a single browser test a success.
    match passed_tests(&run_and_read(&mut command)?) {
        0 => Err(format!("no test of {folder} ran in the browser; are they marked #[wasm_bindgen_test]?")),
        _ => Ok(()),
    }
}

/// Adds up the lines of the form `test result: ok. 12 passed; 0 failed`.
fn passed_tests(output: &str) -> u32 {
    let counts =
        output.lines().filter_map(|line| line.strip_prefix("test result: ok. ")?.split_once(" passed"));
    counts.filter_map(|(count, _)| count.parse::<u32>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(names: &[&str]) -> Vec<&'static str> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        select(&names).unwrap().iter().map(|step| step.name).collect()
    }

    #[test]
    fn every_need_is_an_earlier_step() {
        for (position, step) in STEPS.iter().enumerate() {
            for need in step.needs {
                assert!(
                    STEPS[..position].iter().any(|earlier| earlier.name == *need),
                    "{} needs {need}",
                    step.name
                );
            }
        }
    }

    #[test]
    fn without_names_every_step_runs() {
        assert_eq!(selected(&[]).len(), STEPS.len());
    }

    #[test]
    fn a_named_step_brings_what_it_stands_on() {
        assert_eq!(selected(&["browser"]), ["machine", "web", "server", "browser"]);
        assert_eq!(selected(&["wasm", "lint"]), ["machine", "lint", "tools", "wasm"]);
    }

    #[test]
    fn passed_tests_are_added_up() {
        let output =
            "no tests to run!\ntest result: ok. 12 passed; 0 failed\n\ntest result: ok. 3 passed; 0 failed";
        assert_eq!(passed_tests(output), 15);
        assert_eq!(passed_tests("no tests to run!\ntest result: ok. 0 passed; 0 failed\n"), 0);
    }

    #[test]
    fn an_unknown_step_is_refused_with_the_known_ones() {
        let Err(message) = select(&["brwoser".to_owned()]) else { panic!("accepted") };
        assert!(message.contains("brwoser") && message.contains("browser"), "{message}");
    }
}
