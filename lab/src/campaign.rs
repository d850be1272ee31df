//! All runs of a scenario: in parallel, kept as they end, and not run again.

use std::path::Path;

use farsign::dataset::{Dataset, hexadecimal};
use indicatif::{ParallelProgressIterator, ProgressBar, ProgressStyle};
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::folder::{Folder, FolderError, Manifest};
use crate::host::Fault;
use crate::materials::Materials;
use crate::plan::{self, Job};
use crate::record::Record;
use crate::scenario::{Scenario, ScenarioError};
use crate::summary::{CURVES_HEAD, MethodSummary, Summary, curves};

/// Number of what decides results besides the scenario: raised with each change to the code that makes runs come out
/// otherwise, so that results of different code are not mixed. A test knows what came out last.
pub const REVISION: u32 = 5;

/// What a campaign is started with.
#[derive(Clone, Debug)]
pub struct CampaignOptions {
    /// The scenario's text.
    pub scenario: String,
    /// Seeds, in place of the scenario's: its first ones, and more if it has fewer.
    pub seeds: Option<usize>,
    /// Threads; none: one for each core.
    pub threads: Option<usize>,
    /// A mistake in FAR-SIGN's server, to see that the results show it.
    pub fault: Option<Fault>,
}

/// What a campaign came to.
#[derive(Clone, Debug)]
pub struct Results {
    /// All of it.
    pub summary: Summary,
    /// What the scenario expects and was not found.
    pub missed: Vec<String>,
}

/// Why a campaign could not be run to its end.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// The scenario is none.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// Results could not be kept.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The system gives no threads.
    #[error("could not start threads: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}

/// Runs a scenario into a folder, or goes on with it; gives what it came to, which is also in the folder.
///
/// # Errors
/// When the scenario has mistakes, does not fit the data, or the folder cannot be used.
pub fn run(
    options: &CampaignOptions,
    train: &Dataset,
    test: &Dataset,
    out: &Path,
) -> Result<Results, CampaignError> {
    let mut scenario = Scenario::from_toml(&options.scenario)?;
    if let Some(seeds) = options.seeds {
        take_seeds(&mut scenario.run.seeds, seeds);
    }
    let manifest = Manifest {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        revision: REVISION,
        fault: options.fault,
        train_sha256: hexadecimal(train.digest()),
        test_sha256: hexadecimal(test.digest()),
        seeds: scenario.run.seeds.clone(),
        scenario: options.scenario.clone(),
    };
    let materials = Materials::new(&scenario, train, test)?;
    let folder = Folder::of(out, &manifest)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads.unwrap_or(0)).build()?;
    let campaign = Campaign { scenario: &scenario, materials: &materials, folder: &folder };
    let summary = pool.install(|| campaign.run(options.fault))?;
    let missed = scenario.expectations.iter().filter_map(|expected| expected.missed(&summary)).collect();
    Ok(Results { summary, missed })
}

/// The first so many; after the last, whole numbers that follow the largest.
fn take_seeds(seeds: &mut Vec<u64>, count: usize) {
    seeds.truncate(count);
    while seeds.len() < count {
        seeds.push(seeds.iter().max().map_or(1, |largest| largest + 1));
    }
}

struct Campaign<'a> {
    scenario: &'a Scenario,
    materials: &'a Materials,
    folder: &'a Folder,
}

impl Campaign<'_> {
    fn run(&self, fault: Option<Fault>) -> Result<Summary, CampaignError> {
        let methods = &self.scenario.methods;
        let tuning: Vec<Vec<Job>> = methods.iter().map(|m| plan::tuning(self.scenario, m)).collect();
        let tried = self.records("choosing rates", tuning)?;
        let factors: Vec<f64> =
            tried.iter().map(|records| plan::choose(&self.scenario.tuning.factors, records)).collect();
        let runs = methods.iter().zip(&factors).map(|(m, f)| plan::runs(self.scenario, m, *f, fault));
        let records = self.records("running", runs.collect())?;

        let mut text = CURVES_HEAD.to_owned();
        let mut summaries = Vec::new();
        for ((method, factor), records) in methods.iter().zip(factors).zip(&records) {
            text.push_str(&curves(self.scenario, method, records));
            summaries.push(MethodSummary::of(self.scenario, method, factor, records));
        }
        let run = &self.scenario.run;
        let summary = Summary {
            messages: run.messages,
            seeds: run.seeds.len(),
            breaking_distance: run.breaking_distance,
            methods: summaries,
        };
        self.folder.write("curves.csv", &text)?;
        self.folder.write_json("summary", &summary)?;
        Ok(summary)
    }

    /// The records of jobs, group by group, each read or run.
    fn records(&self, what: &'static str, groups: Vec<Vec<Job>>) -> Result<Vec<Vec<Record>>, FolderError> {
        let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
        let jobs: Vec<Job> = groups.into_iter().flatten().collect();
        let bar = progress(what, jobs.len() as u64);
        let record = |job: Job| -> Result<Record, FolderError> {
            if let Some(record) = self.folder.read(&job.key)? {
                return Ok(record);
            }
            let record = job.experiment.run(self.scenario, self.materials);
            self.folder.write_json(&job.key, &record)?;
            Ok(record)
        };
        let records: Result<Vec<Record>, FolderError> =
            jobs.into_par_iter().map(record).progress_with(bar).collect();
        let mut records = records?.into_iter();
        Ok(sizes.into_iter().map(|size| records.by_ref().take(size).collect()).collect())
    }
}

fn progress(what: &'static str, length: u64) -> ProgressBar {
    let template = "{msg} {wide_bar} {pos} of {len} runs, {eta} left";
    let style = ProgressStyle::with_template(template).expect("the template is constant");
    ProgressBar::new(length).with_style(style).with_message(what)
}
