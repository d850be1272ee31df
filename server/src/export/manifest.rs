//! How the model of a run is trained, and on what.

use farsign::dataset::hexadecimal;
use farsign::schedule::Decay;
use serde::Serialize;

use super::model_file::{INPUT_SCALING, PROGRAM, activation};
use crate::config::Config;
use crate::dataset_source::TrainAndHeldOut;
use crate::settings::Settings;
use crate::status;

/// Version of the names; rises when one of them changes its meaning.
const FORMAT_VERSION: u32 = 1;

/// All that makes a run comprehensible, and nothing that makes its tasks guessable: no seed, no token, and no place on
/// the host's machine. docs/protocol.md lists the fields.
#[derive(Clone, Debug, Serialize)]
pub struct Manifest {
    format_version: u32,
    program: &'static str,
    run: Run,
    model: Model,
    data: Data,
    /// What decides what a contribution does, none of it left to a default.
    settings: Settings,
}

#[derive(Clone, Debug, Serialize)]
struct Run {
    id: String,
    /// Contributions, by weight, until the model is finished; none when the run has no end.
    planned_contributions: Option<f64>,
}

#[derive(Clone, Debug, Serialize)]
struct Model {
    #[serde(flatten)]
    shape: status::Model,
    activation: &'static str,
}

#[derive(Clone, Debug, Serialize)]
struct Data {
    #[serde(flatten)]
    size: status::Data,
    input_scaling: &'static str,
    train_sha256: String,
    held_out_sha256: String,
}

impl Manifest {
    /// Of a run with this configuration.
    pub fn of(config: &Config, data: &TrainAndHeldOut) -> Self {
        let run = &config.run;
        Self {
            format_version: FORMAT_VERSION,
            program: PROGRAM,
            run: Run {
                id: format!("{:016x}", run.run_id),
                planned_contributions: match config.step_size.decay {
                    Decay::Cosine { horizon } => Some(horizon),
                    Decay::Constant | Decay::PowerLaw { .. } => None,
                },
            },
            model: Model {
                shape: status::Model::of(&run.architecture),
                activation: activation(&run.architecture),
            },
            data: Data {
                size: status::Data::of(data),
                input_scaling: INPUT_SCALING,
                train_sha256: hexadecimal(data.train.digest()),
                held_out_sha256: hexadecimal(data.held_out.digest()),
            },
            settings: public(config),
        }
    }
}

/// What the run is bound to, without the folder of its data; and how much of it is checked.
fn public(config: &Config) -> Settings {
    let check_share = config.checks.map(|checks| checks.share);
    Settings { data: None, check_share, ..config.binding() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset_source;
    use crate::settings::{ModelKind, OrderKind, RuleKind, ScheduleKind};

    const SEED: u64 = 0x0123_4567_89ab_cdef;

    fn manifest(settings: Settings) -> serde_json::Value {
        let settings = Settings { seed: Some(SEED), ..settings };
        let data = dataset_source::built_in().unwrap();
        let config = Config::new(&settings, &data.train, 0).unwrap();
        serde_json::to_value(Manifest::of(&config, &data)).unwrap()
    }

    fn names(value: &serde_json::Value) -> Vec<&str> {
        value.as_object().unwrap().keys().map(String::as_str).collect()
    }

    #[test]
    fn nothing_but_these_settings_is_ever_told() {
        let public = [
            "alpha",
            "batch",
            "beta",
            "check-share",
            "delta",
            "direction-block",
            "direction-count",
            "direction-hold",
            "direction-nonzeros",
            "directions",
            "hidden",
            "horizon",
            "minibatch-window",
            "model",
            "order",
            "power-exponent",
            "power-offset",
            "rule",
            "schedule",
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
            Settings { rule: Some(RuleKind::Vote), model: Some(ModelKind::Softmax), ..Settings::default() },
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
            assert_eq!(names(&manifest["run"]), ["id", "planned_contributions"]);
            let text = manifest.to_string();
            let seeds = [SEED.to_string(), format!("{SEED:016x}")];
            for secret in seeds.iter().map(String::as_str).chain(["token", "where-the-run-is", "192.0.2.1"]) {
                assert!(!text.contains(secret), "{secret} in {text}");
            }
        }
    }

    #[test]
    fn under_vote_the_seed_of_the_runs_directions_is_not_told_either() {
        let settings = Settings { rule: Some(RuleKind::Vote), ..Settings::default() };
        let data = dataset_source::built_in().unwrap();
        let config = Config::new(&settings, &data.train, SEED).unwrap();
        let text = serde_json::to_string(&Manifest::of(&config, &data)).unwrap();
        for seed in [config.seed, config.seeds.directions, config.seeds.parameters] {
            assert!(!text.contains(&seed.to_string()), "{text}");
        }
    }

    #[test]
    fn a_run_without_an_end_has_no_planned_contributions() {
        assert_eq!(manifest(Settings::default())["run"]["planned_contributions"], 10_000.0);
        let settings = Settings { schedule: Some(ScheduleKind::Constant), ..Settings::default() };
        assert!(manifest(settings)["run"]["planned_contributions"].is_null());
    }
}
