//! Whole campaigns: the same bytes each time, resumable, and with results that show when a method is broken.

#[path = "../../src/testing/digits.rs"]
mod digits;

mod attacks;
mod bands;
mod folder;
mod peers;
mod scenarios;
mod world;

use std::path::Path;

use farsign_lab::Fault;
use farsign_lab::campaign::{self, CampaignError, CampaignOptions, Results};

const SMALL: &str = include_str!("../../testdata/small.toml");

fn options(scenario: &str) -> CampaignOptions {
    CampaignOptions { scenario: scenario.to_owned(), seeds: None, threads: Some(2), fault: None }
}

fn run(options: &CampaignOptions, out: &Path) -> Result<Results, CampaignError> {
    let (train, test) = digits::digits();
    campaign::run(options, &train, &test, out)
}

fn results(scenario: &str, fault: Option<Fault>) -> Results {
    let folder = tempfile::tempdir().unwrap();
    run(&CampaignOptions { fault, ..options(scenario) }, folder.path()).unwrap()
}
