//! What a scenario expects of its results: orders and bands, so that a change that breaks a method does not go
//! unnoticed.

use serde::{Deserialize, Serialize};

use crate::summary::{Condition, Summary};

/// One thing that is expected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// Of which method.
    pub method: String,
    /// Under which attack; none: without liars.
    #[serde(default)]
    pub attack: Option<String>,
    /// With which share of liars.
    #[serde(default)]
    pub share: f64,
    /// What its mean accuracy is.
    pub is: Bound,
}

/// What a mean accuracy is expected to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Bound {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
    /// Within so much of the method's own without liars.
    NearClean(f64),
    /// Above another method's under the same attack by so much.
    Above {
        /// The other method.
        method: String,
        /// By how much.
        by: f64,
    },
    /// No honest worker was removed, and at least so many liars a run.
    OnlyLiarsRemoved {
        /// Liars.
        at_least: f64,
    },
}

impl Expectation {
    /// What it expects and what was found, if that is another thing.
    pub fn missed(&self, summary: &Summary) -> Option<String> {
        let found = |method: &str| summary.method(method)?.condition(self.attack.as_deref(), self.share);
        let what = self.attack.as_deref().map_or_else(
            || format!("{} without liars", self.method),
            |attack| format!("{} under {attack} with a share of {}", self.method, self.share),
        );
        let Some(condition) = found(&self.method) else {
            return Some(format!("{what}: expected results, found none"));
        };
        let accuracy = condition.accuracy.mean;
        let at_least = |least: f64| {
            (accuracy < least).then(|| format!("{what}: expected at least {least:.4}, found {accuracy:.4}"))
        };
        match &self.is {
            Bound::AtLeast(least) => at_least(*least),
            Bound::AtMost(most) => {
                (accuracy > *most).then(|| format!("{what}: expected at most {most:.4}, found {accuracy:.4}"))
            }
            Bound::NearClean(distance) => {
                at_least(summary.method(&self.method)?.clean.accuracy.mean - distance)
            }
            Bound::Above { method, by } => match found(method) {
                Some(other) => at_least(other.accuracy.mean + by),
                None => Some(format!("{what}: expected results of {method} beside it, found none")),
            },
            Bound::OnlyLiarsRemoved { at_least } => removed(&what, condition, *at_least),
        }
    }
}

fn removed(what: &str, condition: &Condition, at_least: f64) -> Option<String> {
    let Condition { liars_removed, honest_removed, .. } = condition;
    let right = *honest_removed == 0 && liars_removed.mean >= at_least;
    (!right).then(|| {
        format!(
            "{what}: expected no honest worker and at least {at_least} liars removed, found {honest_removed} and {}",
            liars_removed.mean
        )
    })
}
