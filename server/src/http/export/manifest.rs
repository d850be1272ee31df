//! The manifest: the settings and the data of a run.

use farsign::dataset::hexadecimal;
use farsign::task::RunSettings;
use serde::Serialize;

use crate::data::loader::TrainAndHeldOut;
use crate::http::dto;
use crate::http::export::safetensors::{INPUT_SCALING, PROGRAM, activation};
use crate::state::PublicSettings;

/// Version of the field names. It increases when a field changes its meaning.
const FORMAT_VERSION: u32 = 1;

/// The description of a run. It must not reveal future tasks, secrets or paths: no seed, no token, no directory.
/// docs/http-api.md documents the fields.
#[derive(Clone, Debug, Serialize)]
pub struct Manifest {
    format_version: u32,
    program: &'static str,
    run: Run,
    model: Model,
    data: Data,
    /// Every setting that decides the effect of an update, defaults included.
    settings: toml::Table,
}

#[derive(Clone, Debug, Serialize)]
struct Run {
    id: String,
    /// Updates, by weight, until the model is finished; `None` if the run has no end.
    planned_updates: Option<f64>,
}

#[derive(Clone, Debug, Serialize)]
struct Model {
    #[serde(flatten)]
    shape: dto::Model,
    activation: &'static str,
}

#[derive(Clone, Debug, Serialize)]
struct Data {
    #[serde(flatten)]
    size: dto::Data,
    input_scaling: &'static str,
    train_sha256: String,
    held_out_sha256: String,
}

impl Manifest {
    /// Describes a run.
    pub fn new(run: &RunSettings, settings: &PublicSettings, data: &TrainAndHeldOut) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            program: PROGRAM,
            run: Run {
                id: format!("{:016x}", run.run_id),
                planned_updates: settings.planned_updates,
            },
            model: Model {
                shape: dto::Model::from(&run.architecture),
                activation: activation(&run.architecture),
            },
            data: Data {
                size: dto::Data::from(data),
                input_scaling: INPUT_SCALING,
                train_sha256: hexadecimal(data.train.digest()),
                held_out_sha256: hexadecimal(data.held_out.digest()),
            },
            settings: settings.table.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::config::settings::{ModelKind, OrderKind, RuleKind, ScheduleKind, Settings};
    use crate::data::loader;

    const SEED: u64 = 0x0123_4567_89ab_cdef;

    fn manifest(settings: Settings) -> serde_json::Value {
        let settings = Settings {
            seed: Some(SEED),
            ..settings
        };
        let data = loader::built_in().unwrap();
        let config = Config::new(&settings, &data, 0).unwrap();
        serde_json::to_value(Manifest::new(&config.run, &config.public_settings(), &data)).unwrap()
    }

    fn names(value: &serde_json::Value) -> Vec<&str> {
        value
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect()
    }

    #[test]
    fn manifest_reveals_only_public_settings() {
        let public = [
            "alpha",
            "batch",
            "beta",
            "delta",
            "direction-block",
            "direction-count",
            "direction-reuse",
            "direction-nonzeros",
            "directions",
            "hidden",
            "horizon",
            "minibatch-window",
            "model",
            "order",
            "pixel-order",
            "power-exponent",
            "power-offset",
            "rule",
            "schedule",
            "verify-probability",
            "vote-gamma",
        ];
        for settings in [
            Settings {
                join_token: Some("the join token".into()),
                admin_token: Some("the admin token of a test".into()),
                state: Some("where-the-run-is".into()),
                trusted_proxy: Some("192.0.2.1".into()),
                ..Settings::default()
            },
            Settings {
                rule: Some(RuleKind::Vote),
                model: Some(ModelKind::Softmax),
                ..Settings::default()
            },
            Settings {
                order: Some(OrderKind::Zeroth),
                schedule: Some(ScheduleKind::PowerLaw),
                ..Settings::default()
            },
        ] {
            let manifest = manifest(settings);
            for name in names(&manifest["settings"]) {
                assert!(public.contains(&name), "{name}");
            }
            assert_eq!(names(&manifest["run"]), ["id", "planned_updates"]);
            let text = manifest.to_string();
            let seeds = [SEED.to_string(), format!("{SEED:016x}")];
            for secret in
                seeds
                    .iter()
                    .map(String::as_str)
                    .chain(["token", "where-the-run-is", "192.0.2.1"])
            {
                assert!(!text.contains(secret), "{secret} in {text}");
            }
        }
    }

    #[test]
    fn manifest_hides_vote_seed() {
        let settings = Settings {
            rule: Some(RuleKind::Vote),
            ..Settings::default()
        };
        let data = loader::built_in().unwrap();
        let config = Config::new(&settings, &data, SEED).unwrap();
        let text = serde_json::to_string(&Manifest::new(
            &config.run,
            &config.public_settings(),
            &data,
        ))
        .unwrap();
        for seed in [
            config.seed,
            config.seeds.directions,
            config.seeds.parameters,
        ] {
            assert!(!text.contains(&seed.to_string()), "{text}");
        }
    }

    #[test]
    fn endless_run_has_no_planned_updates() {
        assert_eq!(
            manifest(Settings::default())["run"]["planned_updates"],
            10_000.0
        );
        let settings = Settings {
            schedule: Some(ScheduleKind::Constant),
            ..Settings::default()
        };
        assert!(manifest(settings)["run"]["planned_updates"].is_null());
    }
}
