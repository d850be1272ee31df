//! All runs of a scenario, and how learning rates are chosen.

use crate::attack::Attack;
use crate::experiment::Experiment;
use crate::host::Fault;
use crate::record::{Measure, Record};
use crate::scenario::{Case, Method, Scenario};

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
    let attacks = if method.is_control() { &[][..] } else { &scenario.attacks };
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
    let alone = method.is_control();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::scenario;

    fn records(accuracies: &[f64]) -> Vec<Record> {
        accuracies.iter().map(|&accuracy| Record { accuracy, ..Record::default() }).collect()
    }

    #[test]
    fn the_factor_with_the_best_mean_over_all_cases_is_chosen() {
        // Factor by factor: neither the best first case, nor the best case, nor the best of the worst.
        let tried = [[0.98, 0.1, 0.9], [0.6, 0.5, 0.6], [0.7, 0.4, 0.95]].concat();
        assert_eq!(choose(&[0.1, 0.5, 1.0], &records(&tried)), 1.0);
        assert_eq!(choose(&[0.1, 0.5], &records(&[0.8, 0.8])), 0.1, "of equal ones the first");
        assert_eq!(choose(&[0.3], &[]), 0.3, "where nothing was tried the first");
    }

    #[test]
    fn rates_are_chosen_on_validation_data_factor_by_factor_in_every_case() {
        let mut scenario = scenario();
        let clean = Case { attack: "none".to_owned(), share: 0.0 };
        scenario.tuning.cases.insert(0, clean);
        scenario.tuning.seeds = vec![100, 101];
        let method = &scenario.methods[0];
        let jobs = tuning(&scenario, method);
        let told =
            jobs.iter().map(|Job { experiment, .. }| (experiment.factor, experiment.attack, experiment.seed));
        let attack = Some((scenario.attack("sign-flip").unwrap(), 0.3));
        let each =
            |factor| [(factor, None, 100), (factor, None, 101), (factor, attack, 100), (factor, attack, 101)];
        assert_eq!(told.collect::<Vec<_>>(), [each(0.5), each(1.0)].concat());
        assert!(jobs.iter().all(|job| job.experiment.measure == Measure::Validation));
        assert!(runs(&scenario, method, 0.5, None).iter().all(|job| job.experiment.measure == Measure::Test));
    }
}
