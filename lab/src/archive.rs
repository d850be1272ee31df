//! The results of a campaign, read back from its folder.

use std::path::Path;

use crate::folder::{Folder, FolderError, Manifest};
use crate::plan::{self, Cell};
use crate::record::{Point, Record, TARGET};
use crate::scenario::{Scenario, ScenarioError};
use crate::summary::{Spread, Summary};

/// A condition: an attack and the share of the updates that liars send; none: without liars.
pub type Condition<'a> = Option<(&'a str, f64)>;

/// A campaign that ran to its end.
#[derive(Clone, Debug)]
pub struct Archive {
    /// What decided the results.
    pub manifest: Manifest,
    /// What it ran.
    pub scenario: Scenario,
    /// What it came to.
    pub summary: Summary,
    /// Every run, method by method, in the order of the plan.
    records: Vec<Vec<Record>>,
}

/// Why there are no results to read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A file cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The scenario in it is none.
    #[error("{path}: expected a scenario of this version of the lab, found other mistakes in it: {source}")]
    Scenario {
        /// The folder.
        path: String,
        /// What is wrong with it.
        source: ScenarioError,
    },
    /// The campaign did not run to its end.
    #[error("{path}: expected the results of a campaign that ran to its end, found no {missing}")]
    Unfinished {
        /// The folder.
        path: String,
        /// What is not there.
        missing: String,
    },
}

impl Archive {
    /// Reads a folder.
    ///
    /// # Errors
    /// When it does not hold the results of a whole campaign.
    pub fn read(path: &Path) -> Result<Self, ArchiveError> {
        let folder = Folder::existing(path);
        let shown = || path.display().to_string();
        let unfinished =
            |missing: &str| ArchiveError::Unfinished { path: shown(), missing: missing.to_owned() };
        let manifest: Manifest = folder.read("manifest")?.ok_or_else(|| unfinished("manifest.json"))?;
        let mut scenario = Scenario::from_toml(&manifest.scenario)
            .map_err(|source| ArchiveError::Scenario { path: shown(), source })?;
        scenario.run.seeds.clone_from(&manifest.seeds);
        let summary = folder.read("summary")?.ok_or_else(|| unfinished("summary.json"))?;
        let mut records = Vec::new();
        for method in &scenario.methods {
            let jobs = plan::runs(&scenario, method, 1.0, None).into_iter();
            let of_job = |job: plan::Job| folder.read(&job.key)?.ok_or_else(|| unfinished(&job.key));
            records.push(jobs.map(of_job).collect::<Result<Vec<Record>, ArchiveError>>()?);
        }
        Ok(Self { manifest, scenario, summary, records })
    }

    /// The runs of a method under a condition, seed by seed; empty where there are none.
    pub fn runs(&self, method: &str, condition: Condition<'_>) -> Vec<&Record> {
        let of_method = self.scenario.methods.iter().zip(&self.records).find(|(m, _)| m.name == method);
        let Some((method, records)) = of_method else { return Vec::new() };
        let cells = plan::cells(&self.scenario, method);
        let is = |cell: &Cell| cell.attack.map(|(attack, share)| (attack.name(), share)) == condition;
        cells.zip(records).filter(|(cell, _)| is(cell)).map(|(_, record)| record).collect()
    }

    /// The mean curve of a method under a condition: point by point over the seeds, as far as all of them go.
    pub fn curve(&self, method: &str, condition: Condition<'_>) -> Vec<MeanPoint> {
        let runs = self.runs(method, condition);
        let length = runs.iter().map(|run| run.curve.len()).min().unwrap_or(0);
        let point = |n: usize| {
            let spread = |value: fn(&Point) -> f64| Spread::of(runs.iter().map(|run| value(&run.curve[n])));
            MeanPoint {
                messages: spread(|point| point.messages as f64).mean,
                time_s: spread(|point| point.time_s).mean,
                accuracy: spread(|point| point.accuracy),
            }
        };
        (0..length).map(point).collect()
    }

    /// Messages to the first point of the curve with an accuracy of 80 %; none unless every seed gets there.
    pub fn target_messages(&self, method: &str, condition: Condition<'_>) -> Option<Spread> {
        let first = |run: &&Record| {
            let reached = run.curve.iter().find(|point| point.accuracy >= TARGET);
            reached.map(|point| point.messages as f64)
        };
        let runs = self.runs(method, condition);
        let messages: Vec<f64> = runs.iter().map(first).collect::<Option<_>>()?;
        (!messages.is_empty()).then(|| Spread::of(messages.into_iter()))
    }

    /// Whether this method is a single machine, which no liar reaches.
    pub fn is_control(&self, method: &str) -> bool {
        let mut methods = self.scenario.methods.iter();
        methods.any(|m| m.name == method && m.is_control())
    }
}

/// A point of a mean curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanPoint {
    /// Messages received.
    pub messages: f64,
    /// Mean of the simulated time in seconds.
    pub time_s: f64,
    /// Accuracy, 0 to 1.
    pub accuracy: Spread,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::scenario;

    /// Runs of the first method of [`scenario`], without liars, one for each curve; accuracies are 100 messages apart.
    fn archive(curves: &[&[f64]]) -> Archive {
        let mut scenario = scenario();
        scenario.attacks.clear();
        scenario.run.seeds = (0..curves.len() as u64).collect();
        let record = |curve: &&[f64]| {
            let point = |(n, &accuracy): (u64, &f64)| Point {
                messages: 100 * n,
                time_s: 10.0 * n as f64,
                accuracy,
                loss: None,
            };
            Record { curve: (0..).zip(curve.iter()).map(point).collect(), ..Record::default() }
        };
        let text = String::new;
        Archive {
            manifest: Manifest {
                revision: 1,
                fault: None,
                version: text(),
                train_sha256: text(),
                test_sha256: text(),
                seeds: scenario.run.seeds.clone(),
                scenario: text(),
            },
            summary: Summary {
                messages: 0,
                seeds: curves.len(),
                breaking_distance: 0.1,
                methods: Vec::new(),
            },
            records: vec![curves.iter().map(record).collect()],
            scenario,
        }
    }

    #[test]
    fn the_target_is_reached_where_every_seed_reaches_it() {
        let archive_of = archive(&[&[0.1, 0.7, 0.85, 0.9], &[0.1, 0.8, 0.7, 0.9]]);
        let found = archive_of.target_messages("plain", None).unwrap();
        assert_eq!((found.mean, found.deviation), (150.0, 70.710_678));
        assert_eq!(archive(&[&[0.1, 0.9], &[0.1, 0.7]]).target_messages("plain", None), None);
        assert_eq!(archive(&[&[0.9]]).target_messages("other", None), None);
        assert_eq!(archive(&[&[0.9]]).target_messages("plain", Some(("replay", 0.3))), None);
    }

    #[test]
    fn a_mean_curve_goes_as_far_as_every_seed() {
        let curve = archive(&[&[0.1, 0.5, 0.9], &[0.3, 0.7]]).curve("plain", None);
        let found: Vec<_> =
            curve.iter().map(|point| (point.messages, point.time_s, point.accuracy.mean)).collect();
        assert_eq!(found, [(0.0, 0.0, 0.2), (100.0, 10.0, 0.6)]);
    }

    #[test]
    fn a_folder_without_results_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = Archive::read(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("manifest.json") && error.contains(&folder.path().display().to_string()),
            "{error}"
        );
    }
}
