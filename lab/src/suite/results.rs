//! The results of a finished suite, read back from its output directory.

use std::path::Path;

use crate::metrics::{CurvePoint, RunMetrics, TARGET_ACCURACY};
use crate::scenario::{MethodKind, Scenario, ScenarioError, TaskParameters};
use crate::stats::MeanStd;
use crate::suite::output_dir::{Manifest, OutputDir, OutputDirError};
use crate::suite::plan::{self, Condition};
use crate::suite::summary::Summary;

/// Name of an attack and Byzantine fraction; `None` without an attack.
pub type ConditionKey<'a> = Option<(&'a str, f64)>;

/// A finished suite.
#[derive(Clone, Debug)]
pub struct SuiteResults {
    /// The inputs.
    pub manifest: Manifest,
    /// The scenario.
    pub scenario: Scenario,
    /// The summary.
    pub summary: Summary,
    /// All runs, method by method, in the order of the plan.
    metrics: Vec<Vec<RunMetrics>>,
}

/// An error that prevents reading results.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ResultsError {
    #[error(transparent)]
    OutputDir(#[from] OutputDirError),
    #[error("{path}: expected a scenario of this version of the lab, found mistakes: {source}")]
    Scenario { path: String, source: ScenarioError },
    #[error("{path}: expected the results of a finished suite, found no {missing}")]
    Unfinished { path: String, missing: String },
}

impl SuiteResults {
    /// Reads an output directory.
    ///
    /// # Errors
    /// Returns an error if the directory does not have the results of a finished suite.
    pub fn read(path: &Path) -> Result<Self, ResultsError> {
        let dir = OutputDir::existing(path);
        let display = || path.display().to_string();
        let unfinished = |missing: &str| ResultsError::Unfinished {
            path: display(),
            missing: missing.to_owned(),
        };
        let manifest: Manifest = dir
            .read("manifest")?
            .ok_or_else(|| unfinished("manifest.json"))?;
        let mut scenario =
            Scenario::from_toml(&manifest.scenario).map_err(|source| ResultsError::Scenario {
                path: display(),
                source,
            })?;
        scenario.run.seeds.clone_from(&manifest.seeds);
        let summary = dir
            .read("summary")?
            .ok_or_else(|| unfinished("summary.json"))?;
        let mut metrics = Vec::new();
        for method in &scenario.methods {
            let planned = plan::runs(&scenario, method, 1.0, None).into_iter();
            let read =
                |run: plan::PlannedRun| dir.read(&run.key)?.ok_or_else(|| unfinished(&run.key));
            metrics.push(
                planned
                    .map(read)
                    .collect::<Result<Vec<RunMetrics>, ResultsError>>()?,
            );
        }
        Ok(Self {
            manifest,
            scenario,
            summary,
            metrics,
        })
    }

    /// Returns the runs of a method under a condition, seed by seed; empty if there are none.
    pub fn runs(&self, method: &str, key: ConditionKey<'_>) -> Vec<&RunMetrics> {
        let mut methods = self.scenario.methods.iter().zip(&self.metrics);
        let Some((method, metrics)) = methods.find(|(m, _)| m.name == method) else {
            return Vec::new();
        };
        let conditions = plan::conditions(&self.scenario, method);
        let matches = |condition: &Condition| {
            condition
                .attack
                .map(|(attack, fraction)| (attack.name(), fraction))
                == key
        };
        conditions
            .zip(metrics)
            .filter(|(condition, _)| matches(condition))
            .map(|(_, metrics)| metrics)
            .collect()
    }

    /// Returns the mean curve of a method under a condition, up to the last point that all seeds have.
    pub fn curve(&self, method: &str, key: ConditionKey<'_>) -> Vec<MeanPoint> {
        let runs = self.runs(method, key);
        let length = runs.iter().map(|run| run.curve.len()).min().unwrap_or(0);
        let point = |n: usize| {
            let over_seeds = |value: fn(&CurvePoint) -> f64| {
                MeanStd::new(runs.iter().map(|run| value(&run.curve[n])))
            };
            MeanPoint {
                updates: over_seeds(|point| point.updates as f64).mean,
                time_s: over_seeds(|point| point.time_s).mean,
                accuracy: over_seeds(|point| point.accuracy),
            }
        };
        (0..length).map(point).collect()
    }

    /// Returns the updates to the first point of the curve with an accuracy of 80 %; `None` unless every seed reaches it.
    pub fn target_updates(&self, method: &str, key: ConditionKey<'_>) -> Option<MeanStd> {
        let first = |run: &&RunMetrics| {
            let reached = run
                .curve
                .iter()
                .find(|point| point.accuracy >= TARGET_ACCURACY);
            reached.map(|point| point.updates as f64)
        };
        let runs = self.runs(method, key);
        let updates: Vec<f64> = runs.iter().map(first).collect::<Option<_>>()?;
        (!updates.is_empty()).then(|| MeanStd::new(updates.into_iter()))
    }

    /// Returns the parameters on which the workers of a FAR-SIGN method compute; `None` for other methods.
    pub fn task_parameters(&self, method: &str) -> Option<TaskParameters> {
        let method = self.scenario.methods.iter().find(|m| m.name == method)?;
        match &method.kind {
            MethodKind::FarSign(far_sign) => Some(far_sign.parameters),
            _ => None,
        }
    }

    /// Returns whether this method is centralized training.
    pub fn is_centralized(&self, method: &str) -> bool {
        let mut methods = self.scenario.methods.iter();
        methods.any(|m| m.name == method && m.is_centralized())
    }
}

/// A point of a mean curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanPoint {
    /// Updates received.
    pub updates: f64,
    /// Mean of the simulated time in seconds.
    pub time_s: f64,
    /// Accuracy, 0 to 1.
    pub accuracy: MeanStd,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::scenario;

    /// Returns runs of the first method of [`scenario`] without an attack, one for each curve. Accuracies are 100 updates
    /// apart.
    fn results(curves: &[&[f64]]) -> SuiteResults {
        let mut scenario = scenario();
        scenario.attacks.clear();
        scenario.run.seeds = (0..curves.len() as u64).collect();
        let metrics = |curve: &&[f64]| {
            let point = |(n, &accuracy): (u64, &f64)| CurvePoint {
                updates: 100 * n,
                time_s: 10.0 * n as f64,
                accuracy,
                loss: None,
            };
            RunMetrics {
                curve: (0..).zip(curve.iter()).map(point).collect(),
                ..RunMetrics::default()
            }
        };
        let text = String::new;
        SuiteResults {
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
                updates: 0,
                seeds: curves.len(),
                breaking_distance: 0.1,
                methods: Vec::new(),
            },
            metrics: vec![curves.iter().map(metrics).collect()],
            scenario,
        }
    }

    #[test]
    fn target_requires_every_seed() {
        let reached = results(&[&[0.1, 0.7, 0.85, 0.9], &[0.1, 0.8, 0.7, 0.9]]);
        let found = reached.target_updates("plain", None).unwrap();
        assert_eq!((found.mean, found.deviation), (150.0, 70.710_678));
        assert_eq!(
            results(&[&[0.1, 0.9], &[0.1, 0.7]]).target_updates("plain", None),
            None
        );
        assert_eq!(results(&[&[0.9]]).target_updates("other", None), None);
        assert_eq!(
            results(&[&[0.9]]).target_updates("plain", Some(("replay", 0.3))),
            None
        );
    }

    #[test]
    fn mean_curve_has_common_length() {
        let curve = results(&[&[0.1, 0.5, 0.9], &[0.3, 0.7]]).curve("plain", None);
        let found: Vec<_> = curve
            .iter()
            .map(|point| (point.updates, point.time_s, point.accuracy.mean))
            .collect();
        assert_eq!(found, [(0.0, 0.0, 0.2), (100.0, 10.0, 0.6)]);
    }

    #[test]
    fn missing_results_error_names_directory() {
        let dir = tempfile::tempdir().unwrap();
        let error = SuiteResults::read(dir.path()).unwrap_err().to_string();
        assert!(error.contains("manifest.json"), "{error}");
        assert!(error.contains(&dir.path().display().to_string()), "{error}");
    }
}
