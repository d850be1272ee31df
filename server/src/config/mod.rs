//! Configuration: validated settings, and the options of every layer of the server.

mod admission;
mod net;
pub mod pinned;
mod seeds;
pub mod settings;
mod toml_value;
mod training;
mod validate;

use std::net::Ipv4Addr;
use std::path::{PathBuf, absolute};
use std::time::Duration;

use farsign::assignment::{AssignmentOptions, ResetInterval};
use farsign::dataset::PixelOrder;
use farsign::fixed_point::FixedPoint;
use farsign::keys::RunKeys;
use farsign::learner::{HORIZON, LearnerOptions};
use farsign::optimizer::{FarSignOptions, Rule};
use farsign::schedule::{Decay, StepSize};
use farsign::task::RunSettings;

use crate::admission::{AdmissionOptions, TokenDigest};
use crate::config::seeds::{RunSeeds, random_keys};
use crate::config::settings::Settings;
use crate::config::validate::Validator;
use crate::coordinator::CoordinatorOptions;
use crate::data::loader::TrainAndHeldOut;
use crate::http::RouterOptions;
use crate::net::listen_address::ListenAddress;
use crate::net::listener::{ConnectionLimits, ListenerOptions};
use crate::net::tls::TlsConfig;
use crate::state::{PublicSettings, SessionLimits};
use crate::store::StoreOptions;
use crate::store::replay::ReplayOptions;
use crate::store::saved_values::{Checkpoint, RunIdentity};
use crate::verifier::VerificationOptions;

pub use crate::config::validate::ConfigErrors;

/// A valid configuration of `farsign serve`.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address and port to listen on.
    pub listen: ListenAddress,
    /// The run, as volunteers receive it.
    pub run: RunSettings,
    /// Assignment of tasks, with the rule.
    pub assignment: AssignmentOptions,
    /// Verification of updates; `None` unless the rule is `verified`.
    pub verification: Option<VerificationOptions>,
    /// Slow step size.
    pub step_size: StepSize,
    /// Seed of everything that volunteers may know.
    pub seed: u64,
    /// Seeds that are derived from it.
    pub seeds: RunSeeds,
    /// Keys of a new run.
    pub keys: RunKeys,
    /// Accepted updates between evaluations.
    pub evaluate_every: u64,
    /// Limits of sessions.
    pub limits: SessionLimits,
    /// From the start of a shutdown to the end of all sessions.
    pub drain_timeout: Duration,
    /// Limits of connections.
    pub connections: ConnectionLimits,
    /// Admission of volunteers.
    pub admission: AdmissionOptions,
    /// Token of the admin API; `None` disables the API.
    pub admin_token: Option<TokenDigest>,
    /// Certificate and key; `None` without TLS.
    pub tls: Option<TlsConfig>,
    /// Directory of the training data; `None` for the built-in digits.
    pub data: Option<PathBuf>,
    /// Order of the pixels in its files.
    pub pixel_order: PixelOrder,
    /// Unit of the parameters.
    pub fixed_point: FixedPoint,
    /// Options of the saved run.
    pub store: StoreOptions,
}

impl Config {
    /// Validates settings against the training data and fills in defaults. `random_seed` is used if no seed is set.
    ///
    /// # Errors
    /// Returns all errors, each with its setting, the expected and the found value.
    pub fn new(
        settings: &Settings,
        data: &TrainAndHeldOut,
        random_seed: u64,
    ) -> Result<Self, ConfigErrors> {
        let mut validator = Validator::default();
        let seed = settings.seed.unwrap_or(random_seed);
        let seeds = RunSeeds::new(seed);
        let order = training::order(settings, &mut validator);
        let architecture = training::architecture(settings, &data.train, &mut validator);
        let directions = architecture
            .as_ref()
            .and_then(|a| training::directions(settings, a.parameters(), &mut validator));
        let rule = training::rule(settings, seeds.directions, &mut validator);
        training::check_vote(rule, directions, &mut validator);
        let verification = training::verification(settings, &mut validator);
        let step_size = training::step_size(settings, &mut validator);
        let limits = net::session_limits(settings, &mut validator);
        let drain_timeout = milliseconds(settings.drain_timeout_ms(&mut validator));
        let admission = admission::options(settings, &mut validator);
        let admin_token = admission::admin_token(settings, &mut validator);
        let connections = net::connection_limits(settings, limits.write_timeout, &mut validator);
        let tls = net::tls(settings, &mut validator);
        let batch = training::batch(settings, &mut validator);
        let beta = settings.beta(&mut validator);
        let assignment = AssignmentOptions {
            order,
            rule,
            minibatch_window: settings.minibatch_window(&mut validator),
            direction_reuse: settings.direction_reuse(&mut validator),
            resets: verification.map(|_| ResetInterval::VERIFIED),
        };
        let pixel_order = training::pixel_order(settings, &mut validator);
        let evaluate_every = settings.evaluate_every(&mut validator);
        let store = StoreOptions {
            checkpoint_every: settings.checkpoint_every(&mut validator),
            retention_bytes: settings.state_retention_bytes(&mut validator),
        };
        let fixed_point =
            architecture
                .as_ref()
                .zip(directions)
                .and_then(|(architecture, directions)| {
                    let parameters = architecture.initial_parameters(seeds.parameters);
                    let chosen = FixedPoint::for_run(&parameters, step_size, directions);
                    validator.ok("alpha", chosen)
                });
        let model = architecture.zip(directions).zip(fixed_point);
        let ((architecture, directions), fixed_point) = validator.finish(model)?;
        let run = RunSettings {
            run_id: seeds.run_id,
            architecture,
            order,
            directions,
            batch,
            beta,
            task_timeout_ms: limits.task_timeout.as_millis() as u32,
            train_digest: data.shards.data().digest(),
        };
        Ok(Self {
            listen: settings
                .listen
                .clone()
                .unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 8080).into()),
            run,
            assignment,
            verification,
            step_size,
            fixed_point,
            seed,
            seeds,
            keys: random_keys(),
            evaluate_every,
            limits,
            drain_timeout,
            connections,
            admission,
            admin_token,
            tls,
            data: settings
                .data
                .as_ref()
                .map(|dir| absolute(dir).unwrap_or_else(|_| dir.clone())),
            pixel_order,
            store,
        })
    }

    /// Returns the options of the optimizer before the first update.
    pub fn optimizer_options(&self) -> FarSignOptions {
        let architecture = &self.run.architecture;
        let parameters = architecture.initial_parameters(self.seeds.parameters);
        FarSignOptions {
            x: self
                .fixed_point
                .quantize(&parameters)
                .expect("the unit was chosen for these parameters"),
            fixed_point: self.fixed_point,
            directions: self.run.directions,
            step_size: self.step_size,
            rule: self.assignment.rule,
        }
    }

    /// Returns the options with which a run of this configuration is replayed.
    pub fn replay_options(&self) -> ReplayOptions {
        let learner = LearnerOptions {
            sampling_key: self.keys.sampling,
            verify_probability: self
                .verification
                .map(|verification| verification.probability),
            horizon: HORIZON,
            fault: None,
        };
        ReplayOptions {
            optimizer: self.optimizer_options(),
            learner,
        }
    }

    /// Returns the options of the coordinator.
    pub fn coordinator_options(&self) -> CoordinatorOptions {
        CoordinatorOptions {
            run: self.run.clone(),
            assignment: self.assignment,
            optimizer: self.optimizer_options(),
            verification: self.verification,
            keys: self.keys,
        }
    }

    /// Returns the options of the listener.
    pub fn listener_options(&self) -> ListenerOptions {
        ListenerOptions {
            limits: self.connections,
            tls: self.tls.clone(),
            trusted_proxies: self.admission.trusted_proxies.clone(),
        }
    }

    /// Returns the options of the router.
    pub fn router_options(&self) -> RouterOptions {
        RouterOptions {
            admin_token: self.admin_token.clone(),
            https: self.tls.is_some(),
            body_timeout: self.connections.header_timeout,
        }
    }

    /// Returns the identity under which the run is saved.
    pub fn run_identity(&self) -> RunIdentity {
        RunIdentity::new(
            self.seed,
            self.keys,
            &self.run,
            self.pinned_settings().to_toml(),
        )
    }

    /// Returns the saved state of the run before its first update.
    pub fn initial_checkpoint(&self) -> Checkpoint {
        let ReplayOptions { optimizer, learner } = self.replay_options();
        Checkpoint::initial(optimizer, learner)
    }

    /// Returns the settings that anyone may read: the pinned ones without the data directory, and the probability of
    /// verification.
    pub fn public_settings(&self) -> PublicSettings {
        let verify_probability = self
            .verification
            .map(|verification| verification.probability);
        let settings = Settings {
            data: None,
            verify_probability,
            ..self.pinned_settings()
        };
        PublicSettings {
            rule: match (self.assignment.rule, self.verification) {
                (Rule::Plain, Some(_)) => "verified",
                (Rule::Plain, None) => "plain",
                (Rule::Vote { .. }, _) => "vote",
            },
            planned_updates: match self.step_size.decay {
                Decay::Cosine { horizon } => Some(horizon),
                Decay::Constant | Decay::PowerLaw { .. } => None,
            },
            // Parsed from text, because the shortest text of an f32 is not that of the f64 in a table.
            table: settings.to_toml().parse().expect("settings are valid TOML"),
        }
    }
}

fn milliseconds(value: u32) -> Duration {
    Duration::from_millis(value.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::{OrderKind, RuleKind};
    use crate::data::loader;

    fn config(settings: &Settings) -> Result<Config, ConfigErrors> {
        Config::new(settings, &loader::built_in().unwrap(), 1)
    }

    #[test]
    fn default_run_trains_mlp() {
        let config = config(&Settings::default()).unwrap();
        assert_eq!(config.run.architecture.to_string(), "mlp 784-128-10");
        assert_eq!(config.run.directions.count(), 101_770);
        assert_eq!(config.assignment.rule, Rule::Plain);
    }

    #[test]
    fn default_batch_depends_on_rule() {
        let batch = |order, rule| {
            config(&Settings {
                order,
                rule,
                ..Settings::default()
            })
            .unwrap()
            .run
            .batch
        };
        assert_eq!(batch(None, None), 128);
        assert_eq!(batch(Some(OrderKind::First), Some(RuleKind::Plain)), 512);
        assert_eq!(batch(Some(OrderKind::First), Some(RuleKind::Vote)), 512);
        assert_eq!(batch(Some(OrderKind::Zeroth), None), 256);
    }

    #[test]
    fn all_errors_are_reported_at_once() {
        let settings = Settings {
            batch: Some(0),
            beta: Some(1.5),
            alpha: Some(f64::NAN),
            hidden: Some(0),
            max_volunteers: Some(0),
            task_timeout_ms: Some(5),
            minibatch_window: Some(0),
            max_connections: Some(0),
            joins_per_minute: Some(0),
            join_token: Some(String::new()),
            admin_token: Some("short".into()),
            allow_origin: Some("example.org".into()),
            trusted_proxy: Some("10.0.0.0/40".into()),
            ..Settings::default()
        };
        let ConfigErrors(errors) = config(&settings).unwrap_err();
        for (name, found) in [
            ("batch", "found 0"),
            ("beta", "found 1.5"),
            ("alpha", "found NaN"),
            ("hidden", "found 0"),
            ("max-volunteers", "found 0"),
            ("task-timeout-ms", "found 5"),
            ("minibatch-window", "found 0"),
            ("max-connections", "found 0"),
            ("joins-per-minute", "found 0"),
            ("join-token", "found 0"),
            ("admin-token", "found 5"),
            ("allow-origin", "found \"example.org\""),
            ("trusted-proxy", "found \"10.0.0.0/40\""),
        ] {
            let named =
                |m: &&String| m.starts_with(name) && m.contains("expected") && m.ends_with(found);
            assert!(errors.iter().any(|m| named(&m)), "no {name} in {errors:#?}");
        }
    }

    #[test]
    fn unsendable_tokens_are_errors() {
        let settings = |admin: &str, join: &str| Settings {
            admin_token: Some(admin.into()),
            join_token: Some(join.into()),
            ..Settings::default()
        };
        let ConfigErrors(errors) = config(&settings("Schlüsselschlüssel", " sesame")).unwrap_err();
        let [join, admin] = &errors[..] else {
            panic!("expected two errors: {errors:?}")
        };
        assert!(
            join.starts_with("join-token: expected no white space"),
            "{join}"
        );
        assert!(
            admin.starts_with("admin-token: expected printable ASCII"),
            "{admin}"
        );
        assert!(!admin.contains("Schl"), "the token is not repeated");
        let ends = config(&settings("0123456789abcdef\r\n", "sesame\r")).unwrap();
        let bare = config(&settings("0123456789abcdef", "sesame")).unwrap();
        assert_eq!(ends.admin_token, bare.admin_token);
        assert_eq!(ends.admission.join_token, bare.admission.join_token);
    }

    #[test]
    fn vote_requires_all_directions() {
        let settings = Settings {
            rule: Some(RuleKind::Vote),
            direction_count: Some(100),
            ..Settings::default()
        };
        let ConfigErrors(errors) = config(&settings).unwrap_err();
        assert!(
            errors.len() == 1 && errors[0].contains("expected direction-count 101770, found 100")
        );
    }

    #[test]
    fn equal_seeds_give_equal_runs() {
        let with = |seed| Settings {
            seed: Some(seed),
            ..Settings::default()
        };
        assert_eq!(config(&with(5)).unwrap().run, config(&with(5)).unwrap().run);
        assert_ne!(
            config(&with(5)).unwrap().run.run_id,
            config(&with(6)).unwrap().run.run_id
        );
    }
}
