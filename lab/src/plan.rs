//! All runs of a scenario, and how learning rates are chosen.

use crate::attack::Attack;
use crate::experiment::Experiment;
use crate::host::Fault;
use crate::record::{Measure, Record};
use crate::scenario::{Case, Kind, Method, Scenario};

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

/// The runs that learning rates are chosen by, for one method: for each factor in turn, each case in turn, seed by seed.
/// No liar reaches the control.
pub fn tuning<'a>(scenario: &'a Scenario, method: &'a Method) -> Vec<Job<'a>> {
    let tuning = &scenario.tuning;
    if tuning.factors.len() == 1 {
        return Vec::new(); // there is nothing to choose
    }
    let alone = matches!(method.kind, Kind::Control(_));
    let attack =
        |case: &Case| Some((scenario.attack(&case.attack)?, case.share)).filter(|_| case.share > 0.0);
    let conditions = tuning.cases.iter().map(attack).filter(|attack| !(alone && attack.is_some()));
    let cells = conditions.flat_map(|attack| tuning.seeds.iter().map(move |&seed| Cell { attack, seed }));
    let cells: Vec<Cell> = cells.collect();
    let job = |(&factor, cell): (&f64, &Cell)| {
        let Cell { attack, seed } = *cell;
        let (messages, measure) = (tuning.messages, Measure::Validation);
        let experiment = Experiment { method, factor, attack, seed, messages, measure, fault: None };
        Job { key: format!("tuning/{}--{factor}", key(method, *cell)), experiment }
    };
    tuning.factors.iter().flat_map(|factor| cells.iter().map(move |cell| (factor, cell))).map(job).collect()
}

/// The factor with the best mean accuracy in the records of [`tuning`]; of equal ones, and where there are none, the
/// first.
pub fn choose(factors: &[f64], records: &[Record]) -> f64 {
    let mut best = (f64::NEG_INFINITY, factors[0]);
    for (records, &factor) in records.chunks((records.len() / factors.len()).max(1)).zip(factors) {
        let sum: f64 = records.iter().map(|record| record.accuracy).sum();
        if sum > best.0 {
            best = (sum, factor);
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
