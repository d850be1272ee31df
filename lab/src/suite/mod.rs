//! A suite: all runs of a scenario, in parallel. Finished runs are saved and never repeated.

pub mod assert;
pub mod output_dir;
pub mod plan;
pub mod results;
pub mod summary;

use std::path::Path;

use farsign::dataset::{Dataset, hexadecimal};
use indicatif::{ParallelProgressIterator, ProgressBar, ProgressStyle};
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::data::ExperimentData;
use crate::metrics::RunMetrics;
use crate::scenario::{Scenario, ScenarioError};
use crate::servers::InjectedFault;
use crate::suite::output_dir::{Manifest, OutputDir, OutputDirError};
use crate::suite::plan::PlannedRun;
use crate::suite::summary::{CURVES_HEADER, MethodSummary, Summary, curves};

/// Revision of the code that determines results. Raise it with each change that alters results, so results of different
/// code are never mixed. A test pins the results of this revision.
pub const REVISION: u32 = 7;

/// Options of a suite.
#[derive(Clone, Debug)]
pub struct SuiteOptions {
    /// Text of the scenario.
    pub scenario: String,
    /// Number of seeds: the scenario's first ones, or more. `None` uses the scenario's.
    pub seeds: Option<usize>,
    /// Number of threads; one per core if `None`.
    pub threads: Option<usize>,
    /// Fault of FAR-SIGN's server, for tests of the assertions.
    pub fault: Option<InjectedFault>,
}

/// Results of a suite.
#[derive(Clone, Debug)]
pub struct SuiteReport {
    /// The summary.
    pub summary: Summary,
    /// The violated assertions of the scenario, one line each.
    pub violations: Vec<String>,
}

/// An error that stops a suite.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum SuiteError {
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    #[error(transparent)]
    OutputDir(#[from] OutputDirError),
    #[error("could not start threads: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}

/// Runs a scenario into a directory, or resumes it, and returns the results.
///
/// # Errors
/// Returns an error if the scenario has mistakes, does not fit the data, or the directory cannot be used.
pub fn run(
    options: &SuiteOptions,
    train: &Dataset,
    test: &Dataset,
    out: &Path,
) -> Result<SuiteReport, SuiteError> {
    let mut scenario = Scenario::from_toml(&options.scenario)?;
    if let Some(seeds) = options.seeds {
        resize_seeds(&mut scenario.run.seeds, seeds);
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
    let data = ExperimentData::new(&scenario, train, test)?;
    let output_dir = OutputDir::open(out, &manifest)?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads.unwrap_or(0))
        .build()?;
    let suite = Suite {
        scenario: &scenario,
        data: &data,
        output_dir: &output_dir,
    };
    let summary = pool.install(|| suite.run(options.fault))?;
    let violations = assert::violations(&scenario.assertions, &summary);
    Ok(SuiteReport {
        summary,
        violations,
    })
}

/// Keeps the first `count` seeds; appends successors of the largest seed if there are fewer.
fn resize_seeds(seeds: &mut Vec<u64>, count: usize) {
    seeds.truncate(count);
    while seeds.len() < count {
        seeds.push(seeds.iter().max().map_or(1, |largest| largest + 1));
    }
}

struct Suite<'a> {
    scenario: &'a Scenario,
    data: &'a ExperimentData,
    output_dir: &'a OutputDir,
}

impl Suite<'_> {
    fn run(&self, fault: Option<InjectedFault>) -> Result<Summary, SuiteError> {
        let methods = &self.scenario.methods;
        let tuning: Vec<Vec<PlannedRun>> = methods
            .iter()
            .map(|method| plan::tuning(self.scenario, method))
            .collect();
        let tried = self.metrics("tuning", tuning)?;
        let factors: Vec<f64> = tried
            .iter()
            .map(|metrics| plan::best_factor(&self.scenario.tuning.factors, metrics))
            .collect();
        let runs = methods
            .iter()
            .zip(&factors)
            .map(|(method, factor)| plan::runs(self.scenario, method, *factor, fault));
        let metrics = self.metrics("running", runs.collect())?;

        let mut text = CURVES_HEADER.to_owned();
        let mut summaries = Vec::new();
        for ((method, factor), metrics) in methods.iter().zip(factors).zip(&metrics) {
            text.push_str(&curves(self.scenario, method, metrics));
            summaries.push(MethodSummary::new(self.scenario, method, factor, metrics));
        }
        let run = &self.scenario.run;
        let summary = Summary {
            updates: run.updates,
            seeds: run.seeds.len(),
            breaking_distance: run.breaking_distance,
            methods: summaries,
        };
        self.output_dir.write("curves.csv", &text)?;
        self.output_dir.write_json("summary", &summary)?;
        Ok(summary)
    }

    /// Returns the metrics of planned runs, group by group. Each run is read back if it was saved before.
    fn metrics(
        &self,
        label: &'static str,
        groups: Vec<Vec<PlannedRun>>,
    ) -> Result<Vec<Vec<RunMetrics>>, OutputDirError> {
        let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
        let planned: Vec<PlannedRun> = groups.into_iter().flatten().collect();
        let bar = progress_bar(label, planned.len() as u64);
        let run = |planned: PlannedRun| -> Result<RunMetrics, OutputDirError> {
            if let Some(metrics) = self.output_dir.read(&planned.key)? {
                return Ok(metrics);
            }
            let metrics = planned.spec.run(self.scenario, self.data);
            self.output_dir.write_json(&planned.key, &metrics)?;
            Ok(metrics)
        };
        let metrics: Result<Vec<RunMetrics>, OutputDirError> = planned
            .into_par_iter()
            .map(run)
            .progress_with(bar)
            .collect();
        let mut metrics = metrics?.into_iter();
        Ok(sizes
            .into_iter()
            .map(|size| metrics.by_ref().take(size).collect())
            .collect())
    }
}

fn progress_bar(label: &'static str, length: u64) -> ProgressBar {
    let template = "{msg} {wide_bar} {pos} of {len} runs, {eta} left";
    let style = ProgressStyle::with_template(template).expect("the template is constant");
    ProgressBar::new(length)
        .with_style(style)
        .with_message(label)
}
