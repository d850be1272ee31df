//! Names of the rules that FAR-SIGN is compared with, and how each is made.

use serde::{Deserialize, Serialize};

use crate::materials::Materials;
use crate::method::{Aggregation, Arrival, AsyncRule};

/// What a rule may know of a run.
#[derive(Clone, Copy, Debug)]
pub struct Server<'a> {
    /// Workers.
    pub workers: usize,
    /// How many of them to reckon with as liars.
    pub liars: usize,
    /// Seed of the run.
    pub seed: u64,
    /// Images in a minibatch of the server's own, for rules that need one.
    pub batch: u32,
    /// Where such a rule takes it from.
    pub materials: &'a Materials,
}

/// Rules that apply each gradient when it comes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum AsyncRuleName {
    /// Each gradient is a step.
    Asgd,
}

impl AsyncRuleName {
    /// The rule.
    pub fn make(self, step: f64, _server: &Server<'_>) -> Box<dyn AsyncRule> {
        match self {
            Self::Asgd => Box::new(Asgd(step as f32)),
        }
    }
}

struct Asgd(f32);
impl AsyncRule for Asgd {
    fn receive(&mut self, arrival: &Arrival<'_>, x: &mut [f32]) {
        x.iter_mut().zip(arrival.gradient).for_each(|(x, g)| *x -= self.0 * g);
    }
}

/// How gradients of a round are joined.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum AggregationName {
    /// Their mean.
    Mean,
}

impl AggregationName {
    /// The rule.
    pub fn make(self, _server: &Server<'_>) -> Box<dyn Aggregation> {
        match self {
            Self::Mean => Box::new(Mean),
        }
    }
}

struct Mean;
impl Aggregation for Mean {
    fn aggregate(&self, gradients: &[&[f32]]) -> Vec<f32> {
        let mut mean = vec![0.0; gradients[0].len()];
        for g in gradients {
            mean.iter_mut().zip(*g).for_each(|(m, g)| *m += g / gradients.len() as f32);
        }
        mean
    }
}
