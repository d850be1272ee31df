//! All runs of a scenario, and how learning rates are chosen.

use crate::attack::Attack;
use crate::experiment::Experiment;
use crate::host::Fault;
use crate::record::{Measure, Record};
use crate::scenario::{Kind, Method, Scenario};

/// A run of the plan, and its name among the others.
#[derive(Clone, Debug)]
pub struct Job<'a> {
    /// Method, attack, share and seed, fit for the name of a file.
    pub key: String,
    /// The run.
    pub experiment: Experiment<'a>,
}

/// What a run is told apart by.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    /// What liars do, and their share; none: there are none.
    pub attack: Option<(Attack, f64)>,
    /// Seed.
    pub seed: u64,
}

/// Every condition a method is tried under: clean, then attack by attack, the shares rising, seed by seed.
pub fn cells<'a>(scenario: &'a Scenario, method: &Method) -> impl Iterator<Item = Cell> + 'a {
    let attacks = if matches!(method.kind, Kind::Control(_)) { &[][..] } else { &scenario.attacks };
    let shares = scenario.run.shares.iter().filter(|share| **share > 0.0);
    let attacked = attacks.iter().flat_map(move |&attack| shares.clone().map(move |&share| (attack, share)));
    let conditions = std::iter::once(None).chain(attacked.map(Some));
    conditions.flat_map(|attack| scenario.run.seeds.iter().map(move |&seed| Cell { attack, seed }))
}

/// The runs that learning rates are chosen by, for one method: for each factor in turn, each case in turn.
pub fn tuning<'a>(scenario: &'a Scenario, method: &'a Method) -> Vec<Job<'a>> {
    let tuning = &scenario.tuning;
    if tuning.factors.len() == 1 {
        return Vec::new(); // there is nothing to choose
    }
    let job = |&factor: &f64| {
        tuning.cases.iter().map(move |case| {
            let attack = scenario.attack(&case.attack).filter(|_| case.share > 0.0);
            let attack = attack.map(|attack| (attack, case.share));
            let seed = tuning.seed;
            let key = format!("tuning/{}--{factor}", key(method, Cell { attack, seed }));
            let (messages, measure) = (tuning.messages, Measure::Validation);
            Job {
                key,
                experiment: Experiment { method, factor, attack, seed, messages, measure, fault: None },
            }
        })
    };
    tuning.factors.iter().flat_map(job).collect()
}

/// The factor with the best mean accuracy in the records of [`tuning`]; of equal ones the first.
pub fn choose(scenario: &Scenario, records: &[Record]) -> f64 {
    let tuning = &scenario.tuning;
    let mut best = (f64::NEG_INFINITY, tuning.factors[0]);
    if !tuning.cases.is_empty() {
        for (records, &factor) in records.chunks(tuning.cases.len()).zip(&tuning.factors) {
            let sum: f64 = records.iter().map(|record| record.accuracy).sum();
            if sum > best.0 {
                best = (sum, factor);
            }
        }
    }
    best.1
}

/// The runs of one method at the factor that was chosen for it.
pub fn runs<'a>(
    scenario: &'a Scenario,
    method: &'a Method,
    factor: f64,
    fault: Option<Fault>,
) -> Vec<Job<'a>> {
    let job = |cell: Cell| {
        let Cell { attack, seed } = cell;
        let (messages, measure) = (scenario.run.messages, Measure::Test);
        let experiment = Experiment { method, factor, attack, seed, messages, measure, fault };
        Job { key: format!("runs/{}", key(method, cell)), experiment }
    };
    cells(scenario, method).map(job).collect()
}

fn key(method: &Method, Cell { attack, seed }: Cell) -> String {
    match attack {
        None => format!("{}--none--{seed}", method.name),
        Some((attack, share)) => format!("{}--{}-{share}--{seed}", method.name, attack.name()),
    }
}
