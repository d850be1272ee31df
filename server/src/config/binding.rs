//! What a saved run is bound to: the settings that decide what a contribution does. They are written down in full when
//! the run begins, so that other defaults in a later release change nothing for it; the rest (addresses, limits, checks)
//! may be another each time.

use farsign::direction::DirectionFamily;
use farsign::estimate::Order;
use farsign::optimizer::Rule;
use farsign::schedule::Decay;

use super::{Config, Mistakes};
use crate::settings::{FamilyKind, ModelKind, OrderKind, RuleKind, ScheduleKind, Settings};
use crate::store::event::Identity;

impl Config {
    /// The settings that the run is bound to besides its seed, none of them left to a default; and where the data is,
    /// which may change.
    pub fn binding(&self) -> Settings {
        let hidden = match self.run.architecture.widths() {
            [_, hidden, _] => Some(*hidden as u32),
            _ => None,
        };
        let mut settings = Settings {
            data: self.data.clone(),
            model: Some(if hidden.is_some() { ModelKind::Mlp } else { ModelKind::Softmax }),
            hidden,
            batch: Some(self.run.batch),
            beta: Some(self.run.beta),
            minibatch_window: Some(self.assignment.minibatch_window),
            direction_hold: Some(self.assignment.direction_hold),
            alpha: Some(self.step_size.initial),
            ..Settings::default()
        };
        self.bind_order_and_rule(&mut settings);
        self.bind_directions(&mut settings);
        self.bind_schedule(&mut settings);
        settings
    }

    fn bind_order_and_rule(&self, settings: &mut Settings) {
        (settings.order, settings.delta) = match self.run.order {
            Order::First => (Some(OrderKind::First), None),
            Order::Zeroth { delta } => (Some(OrderKind::Zeroth), Some(delta)),
        };
        (settings.rule, settings.vote_gamma) = match self.assignment.rule {
            Rule::Plain if self.checks.is_some() => (Some(RuleKind::Verified), None),
            Rule::Plain => (Some(RuleKind::Plain), None),
            Rule::Vote { gamma, .. } => (Some(RuleKind::Vote), Some(gamma)),
        };
    }

    fn bind_directions(&self, settings: &mut Settings) {
        settings.direction_count = Some(self.run.directions.count() as u32);
        settings.directions = Some(match self.run.directions.family() {
            DirectionFamily::Coordinate => FamilyKind::Coordinate,
            DirectionFamily::Hadamard { block } => {
                settings.direction_block = Some(block);
                FamilyKind::Hadamard
            }
            DirectionFamily::Rademacher => FamilyKind::Rademacher,
            DirectionFamily::Sparse { nonzeros } => {
                settings.direction_nonzeros = Some(nonzeros);
                FamilyKind::Sparse
            }
        });
    }

    fn bind_schedule(&self, settings: &mut Settings) {
        settings.schedule = Some(match self.step_size.decay {
            Decay::Constant => ScheduleKind::Constant,
            Decay::Cosine { horizon } => {
                settings.horizon = Some(horizon);
                ScheduleKind::Cosine
            }
            Decay::PowerLaw { offset, exponent } => {
                (settings.power_offset, settings.power_exponent) = (Some(offset), Some(exponent));
                ScheduleKind::PowerLaw
            }
        });
    }
}

/// Settings to go on with: those given, and where none are, those that the saved run is bound to.
///
/// # Errors
/// Every setting that is given another value than the run is bound to, with both; or what cannot be read of the latter.
pub fn resume(given: Settings, saved: &Identity) -> Result<Settings, Mistakes> {
    let bound = Settings::from_toml(&saved.settings).map_err(Mistakes)?;
    let bound = Settings { seed: Some(saved.seed), ..bound };
    let expected = values(&bound);
    let mistake = |(name, found): (String, String)| {
        let (_, expected) = expected.iter().find(|(bound, _)| *bound == name)?;
        (*expected != found)
            .then(|| format!("{name}: expected {expected}, as the saved run has it, found {found}"))
    };
    let mistakes: Vec<String> = values(&given).into_iter().filter_map(mistake).collect();
    if mistakes.is_empty() { Ok(given.or(bound)) } else { Err(Mistakes(mistakes)) }
}

/// Names and values of settings, without the folder of the data.
fn values(settings: &Settings) -> Vec<(String, String)> {
    // A seed can be larger than a number of TOML.
    let text = Settings { data: None, seed: None, ..settings.clone() }.to_toml();
    let pair = |line: &str| line.split_once(" = ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    let seed = settings.seed.map(|seed| ("seed".to_owned(), seed.to_string()));
    text.lines().filter_map(pair).chain(seed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset_source;
    use crate::store::run::identity;

    fn config(settings: &Settings) -> Config {
        Config::new(settings, &dataset_source::built_in().unwrap().train, u64::MAX).unwrap()
    }

    #[test]
    fn what_is_bound_makes_the_same_run_again_without_any_default() {
        let zeroth = Settings { order: Some(OrderKind::Zeroth), ..Settings::default() };
        for settings in [
            Settings::default(),
            Settings { model: Some(ModelKind::Softmax), rule: Some(RuleKind::Vote), ..Settings::default() },
            Settings { schedule: Some(ScheduleKind::PowerLaw), beta: Some(0.1), ..zeroth.clone() },
            Settings { directions: Some(FamilyKind::Hadamard), rule: Some(RuleKind::Plain), ..zeroth },
            Settings { schedule: Some(ScheduleKind::Constant), hidden: Some(3), ..Settings::default() },
            Settings { minibatch_window: Some(i64::MAX as u64), ..Settings::default() },
        ] {
            let first = config(&settings);
            let again = config(&Settings::from_toml(&first.binding().to_toml()).unwrap());
            assert_eq!(again.run, first.run, "{settings:?}");
            assert_eq!(again.assignment, first.assignment, "{settings:?}");
            assert_eq!(again.step_size, first.step_size, "{settings:?}");
            assert_eq!(again.checks.is_some(), first.checks.is_some(), "{settings:?}");
            assert_eq!(again.binding(), first.binding(), "{settings:?}");
        }
    }

    #[test]
    fn a_number_that_could_not_be_read_again_begins_no_run() {
        let settings = Settings { minibatch_window: Some(1 << 63), ..Settings::default() };
        let train = dataset_source::built_in().unwrap().train;
        let Mistakes(mistakes) = Config::new(&settings, &train, 1).unwrap_err();
        assert_eq!(
            mistakes,
            ["minibatch-window: expected 1 to 9223372036854775807, found 9223372036854775808"]
        );
    }

    #[test]
    fn a_setting_that_contradicts_the_run_is_a_mistake_with_both_values_and_others_are_free() {
        let saved = identity(&config(&Settings::default()));
        let given = Settings {
            batch: Some(64),
            beta: Some(0.5),
            seed: Some(3),
            max_volunteers: Some(3),
            ..Settings::default()
        };
        let Mistakes(mistakes) = resume(given, &saved).unwrap_err();
        assert_eq!(
            mistakes,
            [
                "batch: expected 128, as the saved run has it, found 64",
                "beta: expected 0.3, as the saved run has it, found 0.5",
                "seed: expected 18446744073709551615, as the saved run has it, found 3",
            ]
        );
        let same = Settings { batch: Some(128), max_volunteers: Some(3), ..Settings::default() };
        let resumed = resume(same, &saved).unwrap();
        assert_eq!((resumed.seed, resumed.max_volunteers), (Some(u64::MAX), Some(3)));
    }
}
