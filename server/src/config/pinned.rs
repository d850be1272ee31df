//! Pinned settings: those that decide the effect of an update, and so are fixed when a run is first saved.
//!
//! They are saved in full, so that other defaults of a later release do not change the run. All other settings
//! (addresses, limits, verification) may differ each time.

use farsign::dataset::PixelOrder;
use farsign::direction::DirectionFamily;
use farsign::estimate::Order;
use farsign::optimizer::Rule;
use farsign::schedule::Decay;

use crate::config::settings::{
    FamilyKind, ModelKind, OrderKind, PixelOrderKind, RuleKind, ScheduleKind, Settings,
};
use crate::config::{Config, ConfigErrors};
use crate::store::saved_values::RunIdentity;

impl Config {
    /// Returns the pinned settings except the seed, defaults included, and the data directory, which may change.
    pub fn pinned_settings(&self) -> Settings {
        let hidden = match self.run.architecture.widths() {
            [_, hidden, _] => Some(*hidden as u32),
            _ => None,
        };
        let mut settings = Settings {
            data: self.data.clone(),
            pixel_order: Some(match self.pixel_order {
                PixelOrder::Rows => PixelOrderKind::Rows,
                PixelOrder::Columns => PixelOrderKind::Columns,
            }),
            model: Some(if hidden.is_some() {
                ModelKind::Mlp
            } else {
                ModelKind::Softmax
            }),
            hidden,
            batch: Some(self.run.batch),
            beta: Some(self.run.beta),
            minibatch_window: Some(self.assignment.minibatch_window),
            direction_reuse: Some(self.assignment.direction_reuse),
            alpha: Some(self.step_size.initial),
            ..Settings::default()
        };
        self.pin_order_and_rule(&mut settings);
        self.pin_directions(&mut settings);
        self.pin_schedule(&mut settings);
        settings
    }

    fn pin_order_and_rule(&self, settings: &mut Settings) {
        (settings.order, settings.delta) = match self.run.order {
            Order::First => (Some(OrderKind::First), None),
            Order::Zeroth { delta } => (Some(OrderKind::Zeroth), Some(delta)),
        };
        (settings.rule, settings.vote_gamma) = match self.assignment.rule {
            Rule::Plain if self.verification.is_some() => (Some(RuleKind::Verified), None),
            Rule::Plain => (Some(RuleKind::Plain), None),
            Rule::Vote { gamma, .. } => (Some(RuleKind::Vote), Some(gamma)),
        };
    }

    fn pin_directions(&self, settings: &mut Settings) {
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

    fn pin_schedule(&self, settings: &mut Settings) {
        settings.schedule = Some(match self.step_size.decay {
            Decay::Constant => ScheduleKind::Constant,
            Decay::Cosine { horizon } => {
                settings.horizon = Some(horizon);
                ScheduleKind::Cosine
            }
            Decay::PowerLaw { offset, exponent } => {
                settings.power_offset = Some(offset);
                settings.power_exponent = Some(exponent);
                ScheduleKind::PowerLaw
            }
        });
    }
}

/// Completes the given settings by the pinned ones of a saved run.
///
/// # Errors
/// Returns an error for every given setting that contradicts a pinned one, with both values, or for every saved key
/// that is not a valid setting.
pub fn resume(given: Settings, saved: &RunIdentity) -> Result<Settings, ConfigErrors> {
    let pinned = Settings::from_toml(&saved.settings).map_err(|errors| {
        ConfigErrors(
            errors
                .iter()
                .map(|error| format!("settings of the saved run: {error}"))
                .collect(),
        )
    })?;
    let pinned = Settings {
        seed: Some(saved.seed),
        ..pinned
    };
    let expected = values(&pinned);
    let conflict = |(name, found): (String, String)| {
        let (_, expected) = expected.iter().find(|(pinned, _)| *pinned == name)?;
        (*expected != found)
            .then(|| format!("{name}: expected {expected}, as the saved run has it, found {found}"))
    };
    let conflicts: Vec<String> = values(&given).into_iter().filter_map(conflict).collect();
    if conflicts.is_empty() {
        Ok(given.or(pinned))
    } else {
        Err(ConfigErrors(conflicts))
    }
}

/// Returns names and values of settings, without the data directory.
fn values(settings: &Settings) -> Vec<(String, String)> {
    let table: toml::Table = Settings {
        data: None,
        seed: None,
        ..settings.clone()
    }
    .to_toml()
    .parse()
    .expect("settings are valid TOML");
    let values = table
        .into_iter()
        .map(|(name, value)| (name, value.to_string()));
    let seed = settings
        .seed
        .map(|seed| ("seed".to_owned(), seed.to_string())); // without the quotes of a large integer
    values.chain(seed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::loader;

    fn config(settings: &Settings) -> Config {
        Config::new(settings, &loader::built_in().unwrap(), u64::MAX).unwrap()
    }

    #[test]
    fn pinned_settings_reproduce_the_run() {
        let zeroth = Settings {
            order: Some(OrderKind::Zeroth),
            ..Settings::default()
        };
        for settings in [
            Settings::default(),
            Settings {
                model: Some(ModelKind::Softmax),
                rule: Some(RuleKind::Vote),
                ..Settings::default()
            },
            Settings {
                schedule: Some(ScheduleKind::PowerLaw),
                beta: Some(0.1),
                ..zeroth.clone()
            },
            Settings {
                directions: Some(FamilyKind::Hadamard),
                rule: Some(RuleKind::Plain),
                ..zeroth
            },
            Settings {
                schedule: Some(ScheduleKind::Constant),
                hidden: Some(3),
                ..Settings::default()
            },
            Settings {
                data: Some("emnist".into()),
                pixel_order: Some(PixelOrderKind::Columns),
                ..Settings::default()
            },
            Settings {
                minibatch_window: Some(i64::MAX as u64),
                ..Settings::default()
            },
        ] {
            let first = config(&settings);
            let again = config(&Settings::from_toml(&first.pinned_settings().to_toml()).unwrap());
            assert_eq!(again.run, first.run, "{settings:?}");
            assert_eq!(again.assignment, first.assignment, "{settings:?}");
            assert_eq!(again.step_size, first.step_size, "{settings:?}");
            assert_eq!(again.pixel_order, first.pixel_order, "{settings:?}");
            assert_eq!(
                again.verification.is_some(),
                first.verification.is_some(),
                "{settings:?}"
            );
            assert_eq!(
                again.pinned_settings(),
                first.pinned_settings(),
                "{settings:?}"
            );
        }
    }

    #[test]
    fn counts_beyond_toml_are_rejected() {
        let settings = Settings {
            minibatch_window: Some(1 << 63),
            ..Settings::default()
        };
        let data = loader::built_in().unwrap();
        let ConfigErrors(errors) = Config::new(&settings, &data, 1).unwrap_err();
        assert_eq!(
            errors,
            ["minibatch-window: expected 1 to 9223372036854775807, found 9223372036854775808"]
        );
    }

    #[test]
    fn resume_rejects_conflicting_settings() {
        let saved = config(&Settings::default()).run_identity();
        let given = Settings {
            pixel_order: Some(PixelOrderKind::Columns),
            batch: Some(64),
            beta: Some(0.5),
            seed: Some(3),
            max_volunteers: Some(3),
            ..Settings::default()
        };
        let ConfigErrors(errors) = resume(given, &saved).unwrap_err();
        assert_eq!(
            errors,
            [
                "batch: expected 128, as the saved run has it, found 64",
                "beta: expected 0.3, as the saved run has it, found 0.5",
                "pixel-order: expected \"rows\", as the saved run has it, found \"columns\"",
                "seed: expected 18446744073709551615, as the saved run has it, found 3",
            ]
        );
        let same = Settings {
            batch: Some(128),
            max_volunteers: Some(3),
            ..Settings::default()
        };
        let resumed = resume(same, &saved).unwrap();
        assert_eq!(
            (resumed.seed, resumed.max_volunteers),
            (Some(u64::MAX), Some(3))
        );
    }

    #[test]
    fn resume_rejects_unknown_saved_keys() {
        let identity = config(&Settings::default()).run_identity();
        let settings = identity
            .settings
            .replace("direction-reuse", "direction-hold");
        assert_ne!(settings, identity.settings);
        let saved = RunIdentity {
            settings,
            ..identity
        };
        let ConfigErrors(errors) = resume(Settings::default(), &saved).unwrap_err();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(
            errors[0].contains("saved run: direction-hold: unknown field"),
            "{errors:?}"
        );
    }
}
