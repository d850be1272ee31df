//! Assertions on the results of a scenario: orders and bands, so a change that breaks a method is noticed.

use serde::{Deserialize, Serialize};

/// An assertion on the accuracy of a method, or on the workers it ejects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assertion {
    /// Name of the method.
    pub method: String,
    /// Name of the attack; `None` without an attack.
    #[serde(default)]
    pub attack: Option<String>,
    /// Byzantine fraction.
    #[serde(default)]
    pub byzantine_fraction: f64,
    /// The asserted bound.
    pub is: Bound,
}

/// A bound on the mean accuracy, or on the ejected workers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Bound {
    /// The accuracy is at least this.
    AtLeast(f64),
    /// The accuracy is at most this.
    AtMost(f64),
    /// The accuracy is at most this far below the method's own without an attack.
    NearClean(f64),
    /// The accuracy exceeds another method's under the same attack.
    Above {
        /// The other method.
        method: String,
        /// The required difference.
        by: f64,
    },
    /// No honest worker is ejected, and the attackers ejected per run reach a minimum.
    OnlyAttackersEjected {
        /// Minimum number of ejected attackers.
        at_least: f64,
    },
}
