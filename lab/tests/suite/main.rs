//! Whole suites: deterministic, resumable, and with assertions that notice a broken method.

mod assertions;
mod attacks;
mod baselines;
mod output_dir;
mod scenarios;
mod simulation;

use std::path::Path;

use farsign_lab::InjectedFault;
use farsign_lab::suite::{self, SuiteError, SuiteOptions, SuiteReport};
use farsign_lab::testing::digits;

const SMALL: &str = include_str!("../../testdata/small.toml");

fn options(scenario: &str) -> SuiteOptions {
    SuiteOptions {
        scenario: scenario.to_owned(),
        seeds: None,
        threads: Some(2),
        fault: None,
    }
}

fn run(options: &SuiteOptions, out: &Path) -> Result<SuiteReport, SuiteError> {
    let (train, test) = digits();
    suite::run(options, &train, &test, out)
}

fn report(scenario: &str, fault: Option<InjectedFault>) -> SuiteReport {
    let dir = tempfile::tempdir().unwrap();
    run(
        &SuiteOptions {
            fault,
            ..options(scenario)
        },
        dir.path(),
    )
    .unwrap()
}
